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

  test('what was ended on purpose comes back ended with its token used, and whoever used that again is revoked', async () => {
    for (const lost of [committed, enrolled]) {
      const over: SessionRecord = { ...lost, state: 'revoked', reason: 'stolen', overMs: 2500 };
      await using store = await open();
      await store.sessions.enrol(newSession('copy'), bounds);
      assert.deepEqual(await store.sessions.restore(over, 3000), { isChanged: true, revoked: ['copy'] });
      const { state, reason } = (await store.sessions.find('a')) ?? {};
      assert.deepEqual([state, reason], ['revoked', 'stolen']);
      assert.equal(await store.tokens.consumedBy('token-1'), 'a');
      assert.deepEqual(await store.sessions.restore(over, 4000), { isChanged: false, revoked: [] });
      const { endings } = await store.sessions.endingsSince(0);
      assert.deepEqual(endings.map(({ sessionId }) => sessionId).toSorted(), ['a', 'copy']);
    }
  });

  test('an ending whose session was lost is there, and the session comes back no more, but its token is used', async () => {
    await using store = await open();
    const ending = { state: 'revoked', reason: 'stolen' } as const;
    assert.equal(await store.sessions.restoreEnding('a', ending, 2000), true);
    assert.equal(await store.sessions.restoreEnding('a', ending, 2000), false);
    const { endings } = await store.sessions.endingsSince(0);
    assert.deepEqual(
      endings.map(({ sessionId, state, reason }) => [sessionId, state, reason]),
      [['a', 'revoked', 'stolen']],
    );
    await store.sessions.restore(committed, 3000);
    assert.deepEqual(await store.sessions.find('a'), { ...committed, ...ending, overMs: 2000 });
    // The use of its token once more is told as that.
    assert.deepEqual(await store.sessions.enrol(newSession('copy'), bounds), {
      kind: 'token_consumed',
      sessionId: 'a',
    });
    assert.equal(await store.tokens.consumedBy('token-1'), 'a');
    assert.deepEqual(await store.sessions.restore(committed, 4000), { isChanged: false, revoked: [] });
  });

  test('an ending that was lost ends the session that is there, and takes along a token that was not used', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    assert.equal(await store.sessions.restoreEnding('a', { state: 'ended', reason: 'x' }, 2000), true);
    assert.equal((await store.sessions.find('a'))?.state, 'ended');
    assert.equal(await store.tokens.consumedBy('token-1'), 'a');
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
