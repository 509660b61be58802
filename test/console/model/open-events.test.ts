import assert from 'node:assert/strict';
import { test } from 'node:test';

import { openExchanges } from '../../../src/console/model/open-events.ts';
import { event } from '../support/event.ts';

const time = '2026-01-05T09:00:00.000Z';

test('the age is by the clock of the gateway, and grows between two looks', () => {
  const one = event('a', { time, verdict: 'unknown', decided: 'allow' });
  const [found] = openExchanges([one], '2026-01-05T09:00:05.000Z', 1_500);
  assert.equal(found?.openMs, 6_500);
  // A gateway whose clock is behind the one that began it.
  assert.equal(openExchanges([one], '2026-01-05T08:59:59.000Z', 0)[0]?.openMs, 0);
});

test('it is shown as it was decided, and as information while it waits for that', () => {
  const decided = event('a', { time, verdict: 'unknown', decided: 'deny' });
  const waiting = event('b', { time, verdict: 'unknown' });
  assert.deepEqual(
    openExchanges([decided, waiting], time, 0).map(({ id, shown }) => [id, shown.verdict]),
    [
      ['a', 'deny'],
      ['b', 'info'],
    ],
  );
});
