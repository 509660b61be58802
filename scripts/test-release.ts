// `npm run test:release [-- FILE…]`: what is released, from the outside: the package on a bare machine, the single files, whether two builds are the same, what stands beside them. Takes minutes.

import { globSync } from 'node:fs';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const chosen = process.argv.slice(2);
const files = chosen.length > 0 ? chosen : globSync('test/release/*.release.ts', { cwd: root }).toSorted();
if (files.length === 0) throw new Error('there is no test of the release');
const counts = { passed: 0, failed: 0, skipped: 0 };
// One after the other: each builds, and the machine may have two processors.
const stream = run({ cwd: root, files, concurrency: 1, execArgv: ['--disable-warning=ExperimentalWarning'] });
stream.on('test:summary', ({ file, counts: one }) => {
  if (file === undefined) return;
  counts.passed += one.passed;
  counts.failed += one.tests - one.passed - one.skipped - one.todo;
  counts.skipped += one.skipped;
});
for await (const text of stream.compose(spec)) process.stdout.write(text);
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1;
