import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RestartDelays } from '../../../src/gateway/workers/restart-delays.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

const { workerRestartsMax, workerRestartDelayMsMax } = defaultLimits;

test('the delay doubles up to its bound, and there is an end to it', () => {
  const delays = new RestartDelays();
  const told = Array.from({ length: workerRestartsMax }, () => delays.next(0));
  assert.deepEqual(told.slice(0, 4), [100, 200, 400, 800]);
  assert.equal(told.at(-1), workerRestartDelayMsMax);
  assert.equal(delays.next(0), undefined);
});

test('one that ran for a minute begins anew', () => {
  const delays = new RestartDelays();
  for (let i = 0; i < workerRestartsMax; i += 1) delays.next(10);
  assert.equal(delays.next(60_000), 100);
});
