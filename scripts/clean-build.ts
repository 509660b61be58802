// Before `npm run build`: takes out of dist what an earlier build made of the source, so that a module whose source is gone is not packed. What else is
// there, such as a release, stays.

import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

const folders = readdirSync(join(root, 'src'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
for (const name of [...folders, 'program'])
  rmSync(join(root, 'dist', name), { recursive: true, force: true });
