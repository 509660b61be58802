// What counts of a wait for somebody whose tunnel has no link for a while.

import assert from 'node:assert/strict';
import { suite, test, type TestContext } from 'node:test';

import { deadlineWith, type LinkAbsence, LinkGaps, Silence } from '../../src/net/link-absence.ts';
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

suite('a silence', () => {
  /** Looks at a timer as it ends, until the silence is over; how long that took. */
  function lasts(
    context: TestContext,
    absence: LinkAbsence | undefined,
    onWait = (_ms: number): void => {},
  ): number {
    let nowMs = 1000;
    let progress = 0;
    context.mock.method(performance, 'now', () => nowMs);
    const silence = new Silence(absence, 100, () => progress);
    nowMs += 100;
    for (let looks = 0; looks < 1000; looks += 1) {
      const moreMs = silence.moreMs();
      if (moreMs === undefined) break;
      onWait(moreMs);
      nowMs += moreMs;
    }
    progress += 1;
    return nowMs - 1000;
  }

  test('without a tunnel lasts for its limit', (context) => {
    assert.equal(lasts(context, undefined), 100);
  });

  test('of a peer that gives its link up again and again is forgiven up to the bound', (context) => {
    // A gap of 10 ms in each 50.
    const absence: LinkAbsence = {
      since: (sinceMs) => Math.min(200, ((performance.now() - sinceMs) / 50) * 10),
    };
    const lastedMs = lasts(context, absence);
    assert.ok(lastedMs >= 125 && lastedMs <= 400, String(lastedMs));
  });

  test('begins again with each octet', (context) => {
    let nowMs = 0;
    let progress = 0;
    context.mock.method(performance, 'now', () => nowMs);
    const silence = new Silence({ since: () => 50 }, 100, () => progress);
    nowMs = 100;
    assert.equal(silence.moreMs(), 100);
    progress = 1;
    // The octet came at 130, and started the timer again.
    nowMs = 230;
    assert.equal(silence.moreMs(), 100);
    nowMs = 330;
    assert.equal(silence.moreMs(), undefined);
  });
});
