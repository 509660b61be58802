// `npm run check` asks this for texts that do not read well; `node scripts/check-prose.ts FILE…` looks at some alone. See prose/rules.ts.

import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkFiles, proseFiles } from './prose/check-files.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const named = process.argv.slice(2).map((file) => relative(root, resolve(file)));
const files = named.length > 0 ? named : proseFiles(root);
const found = checkFiles(root, files);
for (const line of found) console.error(line);
console.log(`${files.length} texts, ${found.length} places to change`);
process.exitCode = found.length === 0 ? 0 : 1;
