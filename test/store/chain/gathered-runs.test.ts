// What goes of chains at once becomes few runs: broken where somebody else says something of a link, or a link does not go on.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RemovedLink, RemovedRun } from '../../../src/store/chain/chain-cuts.ts';
import { type ChainBorders, GatheredRuns } from '../../../src/store/chain/gathered-runs.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { LinkHasher } from '../../../src/store/chain/link-hash.ts';

const hasher = new LinkHasher();

/** Links of a chain from one on, each of which goes on from the one before. */
function links(number: number, first: number, count: number): readonly RemovedLink[] {
  let before = 'A'.repeat(43);
  return Array.from({ length: count }, (_, at) => {
    const facts = { id: `e${at}`, verdict: 'allow', kind: 'exchange', timeMs: at, json: '{}' } as const;
    const link = { number, link: first + at, before, facts };
    before = hasher.ofStored(before, link.link, facts) ?? '';
    return link;
  });
}

async function gathered(
  all: readonly RemovedLink[],
  borders: ChainBorders = { links: new Set(), gone: [] },
): Promise<readonly (readonly [chain: number, first: number, last: number])[]> {
  const runs = new GatheredRuns(hasher, async () => borders);
  for (const link of all) await runs.add(link);
  return runs
    .take()
    .map(({ number, first, last }: RemovedRun) => [number, first, last] as const)
    .toSorted((a, b) => a[0] - b[0] || a[1] - b[1]);
}

test('links that go on from each other are one run in each stretch, of each chain for itself', async () => {
  const [one, other] = [links(1, 1, 1100), links(2, 1000, 30)];
  const mixed = one.flatMap((link, at) => [link].concat(other.slice(at, at + 1)));
  assert.deepEqual(await gathered(mixed), [
    [1, 1, 1024],
    [1, 1025, 1100],
    [2, 1000, 1024],
    [2, 1025, 1029],
  ]);
});

test('a run ends where a head says something, and what a cut says is gone stands alone', async () => {
  const gone = [
    { first: 3, last: 4 },
    { first: 40, last: 41 },
  ];
  assert.deepEqual(await gathered(links(1, 1, 10), { links: new Set([7]), gone }), [
    [1, 1, 2],
    [1, 3, 3],
    [1, 4, 4],
    [1, 5, 7],
    [1, 8, 10],
  ]);
});

test('each stretch of a chain is asked for once, though chains take turns', async () => {
  const asked: string[] = [];
  const runs = new GatheredRuns(hasher, async ({ number, first, last }) => {
    asked.push(`${number}: ${first}-${last}`);
    return { links: new Set(), gone: [] };
  });
  const [one, other] = [links(1, 1000, 60), links(2, 1, 60)];
  for (const [at, link] of one.entries())
    for (const each of [link, ...other.slice(at, at + 1)]) await runs.add(each);
  assert.deepEqual(asked, ['1: 1-1024', '2: 1-1024', '1: 1025-2048']);
});

test('what is beyond the bound is counted', async () => {
  const runs = new GatheredRuns(hasher, async () => ({ links: new Set(), gone: [] }));
  const [link] = links(1, 1, 1) as [RemovedLink];
  const { auditDayRunsMax } = defaultLimits;
  for (let number = 1; number <= auditDayRunsMax + 3; number += 1) await runs.add({ ...link, number });
  assert.equal(runs.left, 3);
  assert.equal(runs.take().length, auditDayRunsMax);
});

test('a link that goes on from something else, or stands elsewhere, begins another run, and what cannot be stored is none', async () => {
  const all = links(1, 1, 6);
  const [first, second, third, fourth, fifth, sixth] = all as [
    RemovedLink,
    RemovedLink,
    RemovedLink,
    RemovedLink,
    RemovedLink,
    RemovedLink,
  ];
  const changed = { ...third, before: 'B'.repeat(43) };
  assert.deepEqual(await gathered([first, second, changed, fourth]), [
    [1, 1, 2],
    [1, 3, 3],
    [1, 4, 4],
  ]);
  assert.deepEqual(await gathered([fifth, sixth, first, second]), [
    [1, 1, 2],
    [1, 5, 6],
  ]);
  assert.deepEqual(
    await gathered([
      { ...first, link: 0 },
      { ...second, before: 'x' },
    ]),
    [],
  );
});
