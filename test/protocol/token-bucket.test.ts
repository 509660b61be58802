import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TokenBucket } from '../../src/protocol/token-bucket.ts';

test('a rate of nothing gives nothing, and one below one a second gives one at a time', () => {
  const none = new TokenBucket(0, 0);
  assert.ok(none.take(0, 0) > 0);
  assert.ok(none.take(0, 1_000_000) > 0);
  const slow = new TokenBucket(0.5, 0);
  assert.equal(slow.take(0.5, 0), 0);
  assert.equal(slow.take(0.5, 0), 2);
  assert.equal(slow.take(0.5, 2000), 0);
});
