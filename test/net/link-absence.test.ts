// What counts of a wait for somebody whose tunnel has no link for a while.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { deadlineWith, LinkGaps, wasAway } from '../../src/net/link-absence.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';

test('the gaps of a tunnel count from when they are asked for, one that lasts too, and no more than is forgiven', () => {
  let nowMs = 0;
  const gaps = new LinkGaps(() => nowMs, 100);
  assert.equal(gaps.since(0), 0);
  nowMs = 10;
  gaps.begin();
  nowMs = 30;
  assert.equal(gaps.since(0), 20);
  assert.equal(gaps.since(25), 5);
  gaps.begin();
  gaps.end();
  nowMs = 50;
  gaps.end();
  assert.deepEqual(
    [0, 20, 30, 40].map((sinceMs) => gaps.since(sinceMs)),
    [20, 10, 0, 0],
  );
  gaps.begin();
  nowMs = 500;
  assert.equal(gaps.since(0), 100);
});

test('of gaps without number the latest are kept', () => {
  let nowMs = 0;
  const gaps = new LinkGaps(() => nowMs, 10_000);
  for (let gap = 0; gap < 1000; gap += 1) {
    gaps.begin();
    nowMs += 1;
    gaps.end();
  }
  assert.equal(gaps.since(0), defaultLimits.linkGapsMax);
});

test('a deadline waits for as long as time is forgiven, and then ends', async () => {
  let asked = 0;
  const absence = { since: (fromMs: number) => ((asked += 1) < 3 ? performance.now() - fromMs : 0) };
  await new Promise<void>((resolve) => void deadlineWith(absence, 5, resolve));
  assert.equal(asked, 3);
});

test('a deadline that was cleared while it was moved is over', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const deadline = deadlineWith({ since: () => 60_000 }, 5, () => assert.fail('it was cleared'));
  context.mock.timers.tick(5);
  deadline.clear();
  context.mock.timers.tick(600_000);
});

test('whoever has no tunnel is never away', () => {
  assert.equal(wasAway(undefined, 1e9), false);
  assert.equal(wasAway({ since: () => 1 }, 10), true);
});
