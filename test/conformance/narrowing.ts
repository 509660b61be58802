// Sessions that others make, as every engine of the store must do it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NewChild, SessionStore, Store } from '../../src/store/store.ts';
import { newChild as child, newSession } from './new-session.ts';

const bounds = { livingMax: 4, storedMax: 6, depthMax: 2 };

/** A root that is committed. */
async function rooted(sessions: SessionStore, id = 'root'): Promise<void> {
  await sessions.enrol(newSession(id, { tokenKey: `token of ${id}` }), { enrolmentsPerTokenMax: 10 });
  await sessions.commit(id, 2000);
}

const kindsOf = async (
  sessions: SessionStore,
  ...children: readonly NewChild[]
): Promise<readonly string[]> => {
  const kinds: string[] = [];
  for (const one of children) {
    const outcome = await sessions.narrow(one, bounds);
    kinds.push(outcome.kind === 'too_many' ? outcome.bound : outcome.kind);
  }
  return kinds;
};

export function narrowingConformance(open: () => Promise<Store>): void {
  test('a session below another one is committed at once, is who that is, and lives no longer', async () => {
    await using store = await open();
    const { sessions, tokens } = store;
    await rooted(sessions);
    const root = await sessions.find('root');
    assert.deepEqual(
      await kindsOf(sessions, child('a', 'root'), child('b', 'a', { endsMs: 60_000, isConfined: false })),
      ['narrowed', 'narrowed'],
    );
    const [a, b] = [await sessions.find('a'), await sessions.find('b')];
    for (const one of [a, b]) {
      assert.equal(one?.state, 'committed');
      assert.equal(one.principalId, root?.principalId);
      assert.deepEqual(one.claims, root?.claims);
    }
    assert.deepEqual(a?.above, ['root']);
    assert.deepEqual(b?.above, ['root', 'a']);
    assert.deepEqual([a.posture.confined, b.posture.confined], [true, false]);
    assert.deepEqual([a.endsMs, b.endsMs], [50_000, 50_000]);
    assert.equal(root?.above, undefined);
    assert.deepEqual(await sessions.narrowingsOf(['b', 'a', 'root', 'other']), [
      { sessionId: 'a', policy: 'policy of a' },
      { sessionId: 'b', policy: 'policy of b' },
    ]);
    assert.equal(await tokens.consumedBy('narrowed a'), undefined);
    assert.equal((await sessions.commit('a', 3001)).kind, 'already_committed');
  });

  test('nothing is made below a session that is not committed, is over, or is not there', async () => {
    await using store = await open();
    const { sessions } = store;
    await sessions.enrol(newSession('new'), { enrolmentsPerTokenMax: 10 });
    await rooted(sessions);
    await sessions.narrow(child('a', 'root'), bounds);
    await sessions.end('a', { state: 'ended', reason: 'x' }, 3001);
    const late = child('d', 'root', { nowMs: 100_000, endsMs: 200_000 });
    assert.deepEqual(await kindsOf(sessions, child('b', 'new'), child('c', 'a'), late, child('e', 'none')), [
      'over',
      'over',
      'over',
      'over',
    ]);
    assert.equal((await sessions.list({ limit: 10 })).length, 3);
  });

  test('sessions below a root are counted together, those that are over too, and a chain has an end', async () => {
    await using store = await open();
    const { sessions } = store;
    await rooted(sessions);
    await rooted(sessions, 'other');
    const made = [child('a', 'root'), child('b', 'a'), child('c', 'b'), child('d', 'a'), child('e', 'root')];
    assert.deepEqual(await kindsOf(sessions, ...made), [
      'narrowed',
      'narrowed',
      'depth',
      'narrowed',
      'narrowed',
    ]);
    assert.deepEqual(await kindsOf(sessions, child('f', 'root'), child('g', 'other')), [
      'living',
      'narrowed',
    ]);
    await sessions.end('a', { state: 'ended', reason: 'x' }, 3001);
    const more = [child('h', 'root'), child('i', 'root'), child('j', 'root')];
    assert.deepEqual(await kindsOf(sessions, ...more), ['narrowed', 'narrowed', 'stored']);
  });

  test('what ends a session ends all below it, with an ending of each, and no other', async () => {
    await using store = await open();
    const { sessions } = store;
    await rooted(sessions);
    await rooted(sessions, 'roo');
    const made = [child('a', 'root'), child('b', 'a'), child('c', 'root'), child('d', 'roo')];
    assert.deepEqual(
      await kindsOf(sessions, ...made),
      made.map(() => 'narrowed'),
    );
    const { sequence } = await sessions.endingsSince(undefined);
    assert.equal(await sessions.end('a', { state: 'revoked', reason: 'copied' }, 4000), true);
    const first = await sessions.endingsSince(sequence);
    assert.deepEqual(first.endings.map(({ sessionId, state }) => [sessionId, state]).toSorted(), [
      ['a', 'revoked'],
      ['b', 'revoked'],
    ]);
    assert.equal(await sessions.end('b', { state: 'ended', reason: 'late' }, 4001), false);
    assert.equal((await sessions.find('b'))?.reason, 'the session that it was narrowed from is over');
    assert.equal((await sessions.find('b'))?.overMs, 4000);
    assert.deepEqual(
      (await sessions.below({ id: 'a', above: ['root'] })).map(({ id, state }) => [id, state]),
      [['b', 'revoked']],
    );
    assert.equal(await sessions.end('root', { state: 'ended', reason: 'done' }, 5000), true);
    const second = await sessions.endingsSince(first.sequence);
    assert.deepEqual(second.endings.map(({ sessionId }) => sessionId).toSorted(), ['c', 'root']);
    // Of those that were over before it nothing is told again.
    assert.deepEqual(
      (await sessions.below({ id: 'root' })).map(({ id }) => id),
      ['c'],
    );
    assert.equal((await sessions.find('d'))?.state, 'committed');
  });

  test('a session whose time is over takes those below it along', async () => {
    await using store = await open();
    const { sessions } = store;
    await rooted(sessions);
    assert.deepEqual(await kindsOf(sessions, child('a', 'root', { endsMs: 200_000 }), child('b', 'a')), [
      'narrowed',
      'narrowed',
    ]);
    const expired = await sessions.expire(100_000);
    assert.deepEqual(expired.map(({ id }) => id).toSorted(), ['a', 'b', 'root']);
    for (const id of ['root', 'a', 'b']) assert.equal((await sessions.find(id))?.state, 'ended');
    const { endings } = await sessions.endingsSince(0);
    assert.equal(new Set(endings.map(({ sessionId }) => sessionId)).size, endings.length);
  });

  test('while sessions are made below one that is ended, none stays alive', async () => {
    await using store = await open();
    const { sessions } = store;
    await rooted(sessions);
    await sessions.narrow(child('a', 'root'), bounds);
    const wide = { livingMax: 100, storedMax: 100, depthMax: 4 };
    await Promise.all([
      ...Array.from({ length: 8 }, (_, index) => sessions.narrow(child(`k${index}`, 'a'), wide)),
      sessions.end('root', { state: 'revoked', reason: 'now' }, 4000),
      ...Array.from({ length: 8 }, (_, index) => sessions.narrow(child(`l${index}`, 'root'), wide)),
      sessions.end('a', { state: 'ended', reason: 'its agent ended it' }, 4000),
    ]);
    assert.deepEqual(await sessions.list({ living: true, limit: 100 }), []);
  });
}
