import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EndedSessions } from '../../../src/gateway/sessions/ended-sessions.ts';
import type { NumberedEnding } from '../../../src/store/store.ts';

function ending(sessionId: string, sequence = 1): NumberedEnding {
  return { sessionId, sequence, state: 'revoked', reason: 'a test' };
}

test('a session that ended is known for as long as its tokens could be good, and then forgotten', () => {
  const ended = new EndedSessions(1000, 10);
  ended.add(ending('a'), 0);
  ended.assertKnownAlive('b', 0);
  assert.throws(() => ended.assertKnownAlive('a', 900), { code: 'session_revoked' });
  ended.add(ending('a'), 500);
  ended.add(ending('b'), 1400);
  assert.throws(() => ended.assertKnownAlive('a', 1400), { code: 'session_revoked' });
  ended.add(ending('c'), 1501);
  ended.assertKnownAlive('a', 1501);
});

test('with more of them than are kept nobody is taken for alive who could be among those that are not', () => {
  const ended = new EndedSessions(1000, 2);
  for (const [id, nowMs] of [
    ['a', 0],
    ['b', 10],
    ['c', 20],
  ] as const)
    ended.add(ending(id), nowMs);
  for (const id of ['a', 'x'])
    assert.throws(() => ended.assertKnownAlive(id, 1000), {
      code: 'store_unavailable',
      limit: 'endedSessionsMax',
    });
  ended.assertKnownAlive('x', 1001);
});

test('others are told of all above a number, in pages, and of what is heard while they read', () => {
  const ended = new EndedSessions(1000);
  for (let i = 1; i <= 600; i += 1) ended.add(ending(`s${i}`, i), 0);
  const told: number[] = [];
  let pages = 0;
  for (const page of ended.pagesAbove(100)) {
    if (pages === 0) ended.add(ending('late', 601), 0);
    pages += 1;
    told.push(...page.map(({ sequence }) => sequence));
  }
  assert.deepEqual(
    told,
    Array.from({ length: 501 }, (_, i) => i + 101),
  );
  assert.ok(pages > 1);
});

test('what was heard last is told from a place on; too far back it is said that it is not known', () => {
  const ended = new EndedSessions(1000);
  ended.add(ending('a', 1), 0);
  const { heard } = ended;
  ended.add(ending('b', 2), 0);
  assert.deepEqual(
    ended.heardBehind(heard)?.map(({ sessionId }) => sessionId),
    ['b'],
  );
  assert.deepEqual(ended.heardBehind(ended.heard), []);
  for (let i = 0; i < 10_000; i += 1) ended.add(ending(`s${i}`, i), 0);
  assert.equal(ended.heardBehind(heard), undefined);
  assert.equal(ended.heardBehind(ended.heard - 10)?.length, 10);
});
