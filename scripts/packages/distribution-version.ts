// What the version of the package on npm is called by other package managers.

/**
 * `1.0.0~rc.1` for `1.0.0-rc.1`: with a tilde it is older than the release itself, for dpkg and for rpm. Throws for what is no version of
 * npm's.
 */
export function distributionVersion(version: string): string {
  const form = /^(\d+\.\d+\.\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/.exec(version);
  if (form === null) throw new Error(`${version} is no version`);
  const [, release = '', before] = form;
  // A hyphen would begin the revision of the package.
  return before === undefined ? release : `${release}~${before.replaceAll('-', '.')}`;
}
