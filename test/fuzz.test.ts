// Every fuzz target, seeded and bounded; `npm run fuzz -- TARGET` runs one for longer.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { runCommand } from './support/command.ts';
import { fuzzFolder, fuzzTargets } from './support/fuzz-targets.ts';
import { patienceMs } from './support/patience.ts';

const compileCache = new URL('support/compile-cache.mjs', import.meta.url).href;
/** Each of its inputs goes through a handful of clients, one of them a process of its own. */
const fewRuns: ReadonlyMap<string, number> = new Map([['response-readers', 250]]);

for (const target of fuzzTargets()) {
  const runs = fewRuns.get(target) ?? 5_000;
  test(`${target}: every property holds for ${runs} inputs of seed 1`, async () => {
    const file = join(fuzzFolder, `${target}.ts`);
    const own = ['--disable-warning=ExperimentalWarning', `--import=${compileCache}`];
    const args = [...own, file, '--seed', '1', '--runs', String(runs)];
    const result = await runCommand(process.execPath, args, { timeoutMs: patienceMs });
    assert.equal(result.code, 0, result.stdout + result.stderr);
    assert.match(result.stdout, new RegExp(`\\b${runs} (?:runs|inputs)\\b`));
  });
}

test('parsers of foreign bytes each have a target', () => {
  const expected = [
    'authority',
    'client-hello',
    'dns',
    'frames',
    'git-object',
    'policy',
    'mysql-session',
    'postgres-session',
    'request-head',
    'request-parser',
    'request-target',
    'response-head',
    'response-parser',
    'response-readers',
    'ssh-session',
    'token',
    'websocket-guard',
  ];
  const targets = fuzzTargets();
  assert.deepEqual(
    expected.concat('websocket').filter((name) => !targets.includes(name)),
    [],
  );
});
