import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EndedSessions } from '../../../src/gateway/sessions/ended-sessions.ts';

test('a session that ended is known for as long as its tokens could be good, and then forgotten', () => {
  const ended = new EndedSessions(1000, 10);
  ended.add('a', 0);
  ended.assertKnownAlive('b', 0);
  assert.throws(() => ended.assertKnownAlive('a', 900), { code: 'session_revoked' });
  ended.add('a', 500);
  ended.add('b', 1400);
  assert.throws(() => ended.assertKnownAlive('a', 1400), { code: 'session_revoked' });
  ended.add('c', 1501);
  ended.assertKnownAlive('a', 1501);
});

test('with more of them than are kept nobody is taken for alive who could be among those that are not', () => {
  const ended = new EndedSessions(1000, 2);
  for (const [id, nowMs] of [
    ['a', 0],
    ['b', 10],
    ['c', 20],
  ] as const)
    ended.add(id, nowMs);
  for (const id of ['a', 'x'])
    assert.throws(() => ended.assertKnownAlive(id, 1000), {
      code: 'store_unavailable',
      limit: 'endedSessionsMax',
    });
  ended.assertKnownAlive('x', 1001);
});
