import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UntoldPromises } from '../../../src/gateway/cache/untold-promises.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

test('what was asked in vain is so for a while, and the oldest leaves where there are too many', () => {
  let nowMs = 1000;
  const untold = new UntoldPromises(() => nowMs, 60);
  assert.equal(untold.has('a'), false);
  untold.add('a');
  assert.equal(untold.has('a'), true);
  nowMs += 59;
  assert.equal(untold.has('a'), true);
  nowMs += 1;
  assert.equal(untold.has('a'), false);
  untold.add('a');
  // A clock that was set back makes nothing last longer.
  nowMs -= 10;
  assert.equal(untold.has('a'), false);
  nowMs += 10;
  for (let i = 0; i < defaultLimits.cacheUntoldMax; i++) untold.add(String(i));
  assert.deepEqual([untold.has('a'), untold.has('0')], [false, true]);
});
