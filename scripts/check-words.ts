// `npm run check` asks this for words that the project does not use; see vocabulary.ts.

import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unwantedWords } from './vocabulary.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const { stdout } = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
});
const files = stdout
  .split('\n')
  .filter(
    (file) => /\.(?:ts|cjs|c|py|sh|md|json|yaml|Dockerfile)$/.test(file) && file !== 'package-lock.json',
  )
  .filter((file) => statSync(join(root, file), { throwIfNoEntry: false })?.isFile() === true);
// A check that sees nothing must not pass.
if (files.length < 500) throw new Error(`only ${files.length} files were found`);
const found = files.flatMap((file) => unwantedWords(file, readFileSync(join(root, file), 'utf8')));
for (const line of found) console.error(line);
console.log(`${files.length} files, ${found.length} words to change`);
process.exitCode = found.length === 0 ? 0 : 1;
