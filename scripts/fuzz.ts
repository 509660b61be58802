// `npm run fuzz -- TARGET [--seed N] [--runs N] [--repro INPUT]`: one target for longer than `npm test` does, by default
// with a seed of its own. Without a target all of them run, one after the other.

import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';

import { fuzzFolder, fuzzTargets } from '../test/support/fuzz-targets.ts';

const seedMax = 1_000_000_000;
const runs = 100_000;

const [first = '', ...rest] = process.argv.slice(2);
const all = fuzzTargets();
const isOption = first === '' || first.startsWith('--');
const selected = isOption ? all : all.filter((name) => name === first);
const options = isOption ? process.argv.slice(2) : rest;

/** Options of ours stand first, so that those of the command line win. */
const defaults = options.includes('--repro')
  ? []
  : ['--seed', String(randomInt(seedMax)), '--runs', String(runs)];

if (selected.length === 0) {
  console.error(`there is no target ${JSON.stringify(first)}; the targets are ${all.join(', ')}`);
  process.exitCode = 64;
}
for (const name of selected) {
  const file = join(fuzzFolder, `${name}.ts`);
  const args = ['--disable-warning=ExperimentalWarning', file, ...defaults, ...options];
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
