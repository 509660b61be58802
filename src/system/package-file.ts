// Files that the package brings beside the program, such as its documents.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** By its path in the package. Undefined where it is not there, as beside a single file. */
export function packageFile(path: string): string | undefined {
  // The root stands two folders above this file in source and in the package; a bundle for a single file knows no URL of its own.
  const own: string | undefined = import.meta.url;
  if (own?.startsWith('file:') !== true) return undefined;
  const file = fileURLToPath(new URL(`../../${path}`, own));
  return existsSync(file) ? file : undefined;
}
