// The version of the package, from its one place.

import { readFileSync } from 'node:fs';

// In the single-file agent the build puts it here, for there is no package.json beside it.
declare const builtVersion: string | undefined;

/** The `version` of package.json, which stands two folders above this file in source and in the package. */
export function packageVersion(): string {
  if (typeof builtVersion === 'string') return builtVersion;
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  // Our own file: `version` is a string, or the package could not have been published.
  return (JSON.parse(text) as { readonly version: string }).version;
}
