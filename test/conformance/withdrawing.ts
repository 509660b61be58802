// A token that is taken back, as every engine of the store must do it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Store, withdrawnToken } from '../../src/store/store.ts';
import { newSession } from './new-session.ts';

const bounds = { enrolmentsPerTokenMax: 10 };
const token = { tokenKey: 'token-1', tokenExpiresMs: 50_000 };
const reason = 'its token was withdrawn';

export function withdrawingConformance(open: () => Promise<Store>): void {
  test('a token that was withdrawn starts no session, and is remembered as long as it could be presented', async () => {
    await using store = await open();
    const { sessions, tokens } = store;
    assert.deepEqual(await sessions.withdraw(token, reason, 2000), { kind: 'withdrawn', isNew: true });
    assert.deepEqual(await sessions.withdraw(token, reason, 2001), { kind: 'withdrawn', isNew: false });
    assert.deepEqual(await sessions.enrol(newSession('a'), bounds), { kind: 'token_withdrawn' });
    assert.deepEqual(await sessions.list({ limit: 10 }), []);
    assert.equal(await tokens.consumedBy('token-1'), withdrawnToken);
    assert.equal((await sessions.enrol(newSession('b', { tokenKey: 'token-2' }), bounds)).kind, 'enrolled');
    assert.equal(await tokens.prune(49_999), 0);
    assert.equal(await tokens.prune(50_000), 1);
  });

  test('a session that is not committed is revoked with its token, once, and cannot be committed after', async () => {
    await using store = await open();
    const { sessions } = store;
    await sessions.enrol(newSession('a'), bounds);
    const { sequence } = await sessions.endingsSince(undefined);
    const outcome = { kind: 'withdrawn', sessionId: 'a' };
    assert.deepEqual(await sessions.withdraw(token, reason, 2000), { ...outcome, isNew: true });
    assert.deepEqual(await sessions.withdraw(token, reason, 2001), { ...outcome, isNew: false });
    const { endings } = await sessions.endingsSince(sequence);
    assert.deepEqual(
      endings.map(({ sessionId, state, reason: why }) => [sessionId, state, why]),
      [['a', 'revoked', reason]],
    );
    assert.equal((await sessions.commit('a', 2002)).kind, 'over');
    assert.deepEqual(await sessions.enrol(newSession('b'), bounds), {
      kind: 'token_revoked',
      sessionId: 'a',
    });
  });

  test('a token that a session has used is not taken back, and its session goes on', async () => {
    await using store = await open();
    const { sessions } = store;
    await sessions.enrol(newSession('a'), bounds);
    await sessions.commit('a', 2000);
    assert.deepEqual(await sessions.withdraw(token, reason, 2001), {
      kind: 'token_consumed',
      sessionId: 'a',
    });
    assert.equal((await sessions.find('a'))?.state, 'committed');
  });
}
