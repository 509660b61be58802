// Which exchanges have a trace, and the ids of its spans: both follow from the trace id of the event, so nothing is remembered.

/** Whether a share of all traces holds this one: by its last 32 bits, which are random (W3C Trace Context §3.2.2.3). */
export function isSampled(traceId: string, share: number): boolean {
  return share >= 1 || Number.parseInt(traceId.slice(-8), 16) < share * 2 ** 32;
}

/** 16 hex digits. The first span, of number 0, is the exchange itself; the last four digits are the number, turned. */
export function spanIdOf(traceId: string, number: number): string {
  const last = Number.parseInt(traceId.slice(12, 16), 16) ^ number;
  const id = traceId.slice(0, 12) + last.toString(16).padStart(4, '0');
  // All zeros is no id.
  return /^0+$/.test(id) ? '8000000000000000' : id;
}
