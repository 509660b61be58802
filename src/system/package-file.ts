// Files that the package brings beside the program, such as its documents.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// In a single file the build puts it here, for there is nothing beside it.
declare const builtVersion: string | undefined;

/** By its path in the package. Undefined where it is not there, as beside a single file. */
export function packageFile(path: string): string | undefined {
  if (typeof builtVersion === 'string') return undefined;
  // The root stands two folders above this file, in source and in the package.
  const file = fileURLToPath(new URL(`../../${path}`, import.meta.url));
  return existsSync(file) ? file : undefined;
}
