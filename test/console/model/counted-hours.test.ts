import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countedBars } from '../../../src/console/model/counted-hours.ts';

const hour = (n: number): string => new Date(n * 3_600_000).toISOString();

test('hours are added up to bars, failed ones were let through, and what was before the count is not known', () => {
  const items = [
    { time: hour(1000), allowed: 5, denied: 1, failed: 2 },
    { time: hour(999), allowed: 1, denied: 0, failed: 0 },
  ];
  const day = countedBars({ since: hour(990), items }, { hours: 24, barsMax: 96, nowMs: 1000.5 * 3_600_000 });
  assert.deepEqual([day.bars.length, day.barMs], [24, 3_600_000]);
  assert.deepEqual(day.bars.at(-1), { startMs: 1000 * 3_600_000, passed: 7, stopped: 1, isKnown: true });
  assert.equal(day.bars.at(-2)?.passed, 1);
  assert.deepEqual(day.bars.map(({ isKnown }) => isKnown).indexOf(true), 24 - 11);
  const month = countedBars(
    { since: hour(0), items },
    { hours: 720, barsMax: 96, nowMs: 1000.5 * 3_600_000 },
  );
  assert.deepEqual([month.bars.length, month.barMs], [90, 8 * 3_600_000]);
  assert.equal(
    month.bars.reduce((sum, { passed }) => sum + passed, 0),
    8,
  );
});
