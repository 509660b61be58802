// `npm run check`: format, lint, words, prose, types, dead code, tests. Runs all of them and fails if one failed.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

const checks: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['format', 'oxfmt', '--check'],
  ['lint', 'oxlint', '--deny-warnings', '--report-unused-disable-directives'],
  ['words', 'node', 'scripts/check-words.ts'],
  ['prose', 'node', 'scripts/check-prose.ts'],
  ['types', 'tsc', '-b', 'tsconfig.json'],
  ['dead code', 'knip'],
  ['tests', 'node', '--disable-warning=ExperimentalWarning', 'scripts/test.ts'],
];

const failed: string[] = [];
for (const [name, command, ...args] of checks) {
  console.log(`── ${name}: ${command} ${args.join(' ')}`);
  const started = performance.now();
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) failed.push(name);
  const verdict = status === 0 ? 'ok' : `failed${error === undefined ? '' : ` (${error.message})`}`;
  console.log(`── ${name}: ${verdict}, ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
}
console.log(failed.length === 0 ? 'all checks passed' : `failed: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;
