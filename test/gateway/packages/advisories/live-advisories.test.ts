// The index that rules look into: taken again when it changes, kept when the next one is damaged, and told of when it is old.

import assert from 'node:assert/strict';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { readAdvisoryFile } from '../../../../src/gateway/packages/advisories/advisory-file.ts';
import { importAdvisories } from '../../../../src/gateway/packages/advisories/import-advisories.ts';
import { LiveAdvisories } from '../../../../src/gateway/packages/advisories/live-advisories.ts';
import { osvRecord } from '../../../support/osv-records.ts';
import { withTemporaryDirectory } from '../../../support/temporary-directory.ts';

const dayMs = 86_400_000;
const madeMs = Date.parse('2030-01-01T00:00:00Z');

test('a new index is taken, a damaged one is not, and an old one is told of once a day', () =>
  withTemporaryDirectory(async (folder) => {
    const index = join(folder, 'advisories.index');
    let nowMs = madeMs;
    let isOnDuty = false;
    const said: string[] = [];
    const stale: string[] = [];
    const load = async (...names: readonly string[]): Promise<void> => {
      const modified = new Date(nowMs - 1000).toISOString();
      const sources = names.map((name) => join(folder, `${name}.json`));
      for (const [i, name] of names.entries())
        await writeFile(sources[i]!, osvRecord({ id: `GHSA-${name}`, name, versions: ['1.0.0'], modified }));
      const signal = AbortSignal.timeout(60_000);
      await importAdvisories({ sources, index, nowMs, replaces: true, signal });
    };
    await load('a');
    await using live = await LiveAdvisories.open({
      index,
      staleMs: 7 * dayMs,
      clock: () => nowMs,
      log: (level, message) => said.push(`${level}: ${message}`),
      onStale: (message) => stale.push(message),
      isOnDuty: () => isOnDuty,
      onFault: (error) => said.push(error.message),
    });
    const found = (name: string): number => live.index?.find('npm', name, '1.0.0').length ?? -1;
    assert.deepEqual([found('a'), found('b')], [1, 0]);
    assert.deepEqual(live.state(), { index: live.index, staleForMs: 0, staleRegistries: [] });
    await load('a', 'b');
    await live.look();
    assert.deepEqual([found('a'), found('b')], [1, 1]);
    const taken = live.index;
    await live.look();
    assert.equal(live.index, taken, 'what did not change is not read again');
    const whole = await readFile(index);
    await writeFile(`${index}.new`, whole.subarray(0, -1));
    await rename(`${index}.new`, index);
    await live.look();
    assert.equal(found('b'), 1);
    assert.match(said.at(-1) ?? '', /^error: .*another length.*; the one before stays in force$/);
    assert.deepEqual(stale, []);
    nowMs += 8 * dayMs;
    await live.look();
    assert.deepEqual(stale, [], 'another process tells of it');
    isOnDuty = true;
    await live.look();
    await live.look();
    assert.equal(stale.length, 1);
    assert.match(stale[0]!, /nothing new is known against packages of npm/);
    assert.deepEqual(live.state().staleRegistries, ['npm']);
    assert.ok(live.state().staleForMs > dayMs && live.state().staleForMs < dayMs + 60_000);
    nowMs += dayMs;
    await live.look();
    assert.equal(stale.length, 2);
    await load('c');
    await live.look();
    assert.equal(live.state().staleForMs, 0);
  }));

test('what kept an index from being read may pass: it is read again, and logged once', () =>
  withTemporaryDirectory(async (folder) => {
    const index = join(folder, 'advisories.index');
    const source = join(folder, 'a.json');
    await writeFile(source, osvRecord({ id: 'GHSA-a', name: 'a', versions: ['1.0.0'] }));
    const signal = AbortSignal.timeout(60_000);
    await importAdvisories({ sources: [source], index, nowMs: madeMs, replaces: true, signal });
    const said: string[] = [];
    let isFull = true;
    await using live = await LiveAdvisories.open({
      index,
      staleMs: 7 * dayMs,
      clock: () => madeMs,
      log: (level, message) => said.push(`${level}: ${message}`),
      onStale: () => undefined,
      isOnDuty: () => true,
      onFault: (error) => said.push(error.message),
      read: (path) => (isFull ? Promise.reject(new Error('too many open files')) : readAdvisoryFile(path)),
    });
    const found = (): number => live.index?.find('npm', 'a', '1.0.0').length ?? -1;
    await live.look();
    assert.equal(found(), -1);
    assert.equal(said.length, 1);
    isFull = false;
    await live.look();
    assert.equal(found(), 1);
    assert.match(said[1] ?? '', /^info: advisories are in force/);
  }));
