// A machine without an address family, where a listener at it is refused.

const absentCodes: ReadonlySet<unknown> = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT']);

/** Whether it could not be listened there because this machine has no such address: then nobody else can either. */
export function isAddressAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && absentCodes.has(error.code);
}
