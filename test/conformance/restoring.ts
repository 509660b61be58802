// What every engine must do with what is told again after it went back; part of the suite in store.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SessionRecord, Store } from '../../src/store/store.ts';
import { newSession } from './new-session.ts';

const bounds = { enrolmentsPerTokenMax: 10 };
const committed: SessionRecord = { ...newSession('a'), state: 'committed', committedMs: 2000 };
const enrolled: SessionRecord = { ...newSession('a'), state: 'enrolled' };

export function restoringConformance(open: () => Promise<Store>): void {
  test('a session that was lost is there again, as it was, with its token used; once more changes nothing', async () => {
    await using store = await open();
    assert.deepEqual(await store.sessions.restore(committed, 3000), { isChanged: true, revoked: [] });
    assert.deepEqual(await store.sessions.find('a'), committed);
    assert.equal(await store.tokens.consumedBy('token-1'), 'a');
    assert.deepEqual(await store.sessions.restore(committed, 4000), { isChanged: false, revoked: [] });
  });

  test('a commit that was lost is there again', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    assert.deepEqual(await store.sessions.restore(committed, 3000), { isChanged: true, revoked: [] });
    assert.deepEqual(await store.sessions.find('a'), committed);
    assert.equal(await store.tokens.consumedBy('token-1'), 'a');
  });

  test('whoever used the token of a lost session once more is revoked, committed or not', async () => {
    for (const commits of [false, true]) {
      await using store = await open();
      await store.sessions.enrol(newSession('copy'), bounds);
      if (commits) await store.sessions.commit('copy', 2500);
      const { sequence } = await store.sessions.endingsSince(undefined);
      assert.deepEqual(await store.sessions.restore(committed, 3000), {
        isChanged: true,
        revoked: ['copy'],
      });
      assert.equal((await store.sessions.find('copy'))?.state, 'revoked');
      assert.equal(await store.tokens.consumedBy('token-1'), 'a');
      const { endings } = await store.sessions.endingsSince(sequence);
      assert.deepEqual(
        endings.map(({ sessionId }) => sessionId),
        ['copy'],
      );
    }
  });

  test('a lost session that was not committed is there again, unless another one has its token now', async () => {
    await using store = await open();
    assert.deepEqual(await store.sessions.restore(enrolled, 3000), { isChanged: true, revoked: [] });
    assert.deepEqual(await store.sessions.find('a'), enrolled);
    await store.sessions.enrol(newSession('b', { tokenKey: 'token-2' }), bounds);
    const lost: SessionRecord = { ...newSession('c', { tokenKey: 'token-2' }), state: 'enrolled' };
    assert.deepEqual(await store.sessions.restore(lost, 3000), { isChanged: true, revoked: [] });
    assert.equal((await store.sessions.find('c'))?.state, 'revoked');
    assert.equal((await store.sessions.find('b'))?.state, 'enrolled');
    assert.deepEqual(await store.sessions.commit('b', 4000), { kind: 'committed' });
  });

  test('what is over stays over', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    await store.sessions.end('a', { state: 'revoked', reason: 'x' }, 2000);
    assert.deepEqual(await store.sessions.restore(committed, 3000), { isChanged: false, revoked: [] });
    assert.equal((await store.sessions.find('a'))?.state, 'revoked');
  });

  test('a store says where it is, with the number of its newest change', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    const before = await store.changes.place();
    await store.sessions.end('a', { state: 'revoked', reason: 'x' }, 2000);
    const after = await store.changes.place();
    assert.deepEqual(after, { history: before.history, number: await store.changes.newest() });
    assert.ok(after.number > before.number);
  });
}
