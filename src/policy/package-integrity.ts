// Whether what a registry delivers has to be what it promises.

/** `asked`: the registry is asked what it promises of an archive. `required`: it has to promise something. */
export type PackageIntegrity = 'asked' | 'required';

/** Of two rules the one that checks more counts. */
export const stricterIntegrity = (
  one: PackageIntegrity | undefined,
  other: PackageIntegrity | undefined,
): PackageIntegrity | undefined => (integrityCovers(other, one) ? one : other);

/** Whether `inner` checks all that `outer` checks. */
export function integrityCovers(
  outer: PackageIntegrity | undefined,
  inner: PackageIntegrity | undefined,
): boolean {
  return outer === undefined || inner === 'required' || inner === outer;
}
