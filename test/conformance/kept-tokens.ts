// What every engine of the store must do with tokens that gateways keep; part of the suite in store.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Store } from '../../src/store/store.ts';
import { newSession } from './new-session.ts';

const hourMs = 3_600_000;
const claimOf = (version: number, holderId = 'a', claimMs = hourMs) => ({ version, holderId, claimMs });

export function keptTokenConformance(open: () => Promise<Store>): void {
  test('of gateways that ask with one version of kept tokens, one asks, and what it writes is the next version', async () => {
    await using store = await open();
    const kept = store.keptTokens;
    assert.equal(await kept.read('x'), undefined);
    assert.equal(await kept.put('x', { sealed: 's1', lifetimeMs: hourMs }), 1);
    const outcomes = await Promise.all(['a', 'b', 'c'].map((holder) => kept.claim('x', claimOf(1, holder))));
    assert.deepEqual(outcomes.map(({ kind }) => kind).toSorted(), ['claimed', 'taken', 'taken']);
    assert.deepEqual(await kept.claim('x', claimOf(7)), { kind: 'changed' });
    assert.equal(await kept.commit('x', { version: 7, sealed: 'no' }), false);
    assert.equal(await kept.commit('x', { version: 1, sealed: 's2' }), true);
    assert.equal(await kept.commit('x', { version: 1, sealed: 's3' }), false, 'somebody wrote before');
    const { ageMs, ...rest } = (await kept.read('x')) ?? assert.fail();
    assert.ok(ageMs >= 0 && ageMs < hourMs);
    const common = { id: 'x', sessionId: undefined, state: 'held', word: undefined, claimedBy: undefined };
    assert.deepEqual(rest, { ...common, version: 2, sealed: 's2', lifetimeMs: undefined, attempts: 0 });
  });

  test('a claim whose holder is gone ends by itself, and says that nobody wrote a response down', async () => {
    await using store = await open();
    const kept = store.keptTokens;
    await kept.put('x', { sealed: 's1' });
    assert.deepEqual(await kept.claim('x', claimOf(1, 'a', 0)), {
      kind: 'claimed',
      attempts: 0,
      isLeft: false,
    });
    assert.deepEqual(await kept.claim('x', claimOf(1, 'b')), { kind: 'claimed', attempts: 1, isLeft: true });
    assert.equal((await kept.read('x'))?.claimedBy, 'b');
    await kept.letGo('x', { version: 1, holderId: 'a', isSent: false });
    assert.deepEqual(await kept.claim('x', claimOf(1, 'a')), { kind: 'taken' }, 'that of another one stays');
    await kept.letGo('x', { version: 1, holderId: 'b', isSent: false });
    assert.deepEqual(await kept.claim('x', claimOf(1, 'a')), { kind: 'claimed', attempts: 1, isLeft: false });
    await kept.letGo('x', { version: 1, holderId: 'a', isSent: true });
    assert.deepEqual(await kept.claim('x', claimOf(1, 'a')), { kind: 'claimed', attempts: 2, isLeft: false });
  });

  test('with a version that was refused nobody asks again before the next log-in', async () => {
    await using store = await open();
    const kept = store.keptTokens;
    await kept.put('x', { sealed: 's1' });
    assert.equal(await kept.refuse('x', { version: 9, word: 'invalid_grant' }), false);
    assert.equal(await kept.refuse('x', { version: 1, word: 'invalid_grant' }), true);
    const refused = await kept.read('x');
    assert.deepEqual([refused?.state, refused?.word, refused?.version], ['refused', 'invalid_grant', 2]);
    assert.deepEqual(await kept.claim('x', claimOf(2)), { kind: 'changed' });
    assert.equal(await kept.put('x', { sealed: 's2' }), 3);
    assert.deepEqual(await kept.claim('x', claimOf(3)), { kind: 'claimed', attempts: 0, isLeft: false });
  });

  test('what a session alone has goes with it, and the rest stays', async () => {
    await using store = await open();
    const kept = store.keptTokens;
    await kept.put('b', { sealed: 's' });
    assert.equal(await kept.putOfSession('a', { sealed: 's', sessionId: 'one', max: 9 }), true);
    assert.equal(await kept.putOfSession('c', { sealed: 't', sessionId: 'two', max: 9 }), true);
    assert.deepEqual(
      (await kept.ofSession('two', 9)).map(({ id, sealed, version, sessionId }) => [
        id,
        sealed,
        version,
        sessionId,
      ]),
      [['c', 't', 1, 'two']],
    );
    assert.deepEqual(
      (await kept.list(2)).map(({ id }) => id),
      ['a', 'b'],
    );
    assert.equal(await kept.forgetSession('one'), 1);
    assert.deepEqual(
      (await kept.list(9)).map(({ id }) => id),
      ['b', 'c'],
    );
    assert.equal(await kept.forget('b'), true);
    assert.equal(await kept.forget('b'), false);
  });

  test('a session has so many kept tokens at most, whoever writes them: what ends soonest makes room', async () => {
    await using store = await open();
    const kept = store.keptTokens;
    const ids = async (sessionId = 's'): Promise<readonly string[]> =>
      (await kept.ofSession(sessionId, 99)).map(({ id }) => id);
    const put = (id: string, lifetimeMs?: number, sessionId = 's'): Promise<boolean> =>
      kept.putOfSession(id, { sealed: id, lifetimeMs, sessionId, max: 3 });
    await put('other', 1, 'of another one');
    await kept.put('of none', { sealed: 'x', lifetimeMs: 1 });
    for (const [id, lifetimeMs] of [
      ['a', undefined],
      ['b', 2 * hourMs],
      ['c', hourMs],
    ] as const)
      assert.equal(await put(id, lifetimeMs), true);
    assert.equal(await put('d', 3 * hourMs), true);
    assert.deepEqual(await ids(), ['a', 'b', 'd']);
    assert.equal(await put('e'), true);
    assert.equal(await put('f'), true);
    assert.deepEqual(await ids(), ['a', 'e', 'f']);
    assert.equal(await put('g', hourMs), false, 'none of them ends');
    assert.equal(await put('h'), false);
    assert.deepEqual(await ids(), ['a', 'e', 'f']);
    assert.deepEqual(await ids('of another one'), ['other']);
    const all = await Promise.all(
      Array.from({ length: 12 }, (_, n) => put(`at once ${String(n).padStart(2, '0')}`, hourMs, 'many')),
    );
    assert.equal(
      all.every((one) => one),
      true,
    );
    assert.equal((await ids('many')).length, 3);
    const lasting = await Promise.all(
      Array.from({ length: 12 }, (_, n) => put(`lasts ${String(n)}`, undefined, 'lasting')),
    );
    assert.equal(lasting.filter((one) => one).length, 3);
    assert.equal((await ids('lasting')).length, 3);
    assert.equal(
      (await kept.list(99)).some(({ id }) => id === 'of none'),
      true,
    );
  });

  test('sessions that do not live and have kept tokens are told, and no others', async () => {
    await using store = await open();
    const kept = store.keptTokens;
    for (const id of ['a', 'b'])
      await store.sessions.enrol(newSession(id, { tokenKey: `token of ${id}` }), {
        enrolmentsPerTokenMax: 9,
      });
    await store.sessions.end('b', { state: 'revoked', reason: 'x' }, 1);
    await kept.put('of none', { sealed: 's' });
    for (const sessionId of ['a', 'b', 'nobody'])
      for (const one of [1, 2])
        await kept.putOfSession(`of ${sessionId} ${String(one)}`, { sealed: 's', sessionId, max: 9 });
    assert.deepEqual(await kept.sessionsOver(9), ['b', 'nobody']);
    assert.deepEqual(await kept.sessionsOver(1), ['b']);
    assert.equal(await kept.forgetSession('b'), 2);
    assert.deepEqual(await kept.sessionsOver(9), ['nobody']);
  });

  test('of two that make the key of kept tokens, one does, and a change names what it takes the place of', async () => {
    await using store = await open();
    const kept = store.keptTokens;
    assert.equal(await kept.readKey(), undefined);
    const first = await Promise.all([kept.writeKey('k1', 0), kept.writeKey('k2', 0)]);
    assert.deepEqual(first.toSorted(), [false, true]);
    assert.equal(await kept.writeKey('k3', 9), false);
    assert.equal(await kept.writeKey('k3', 1), true);
    assert.deepEqual(await kept.readKey(), { version: 2, document: 'k3' });
  });
}
