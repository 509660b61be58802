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
    await kept.put('a', { sealed: 's', sessionId: 'one' });
    await kept.put('c', { sealed: 's', sessionId: 'two' });
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

  test('kept tokens of sessions that do not live go, and no others', async () => {
    await using store = await open();
    const kept = store.keptTokens;
    for (const id of ['a', 'b'])
      await store.sessions.enrol(newSession(id, { tokenKey: `token of ${id}` }), {
        enrolmentsPerTokenMax: 9,
      });
    await store.sessions.end('b', { state: 'revoked', reason: 'x' }, 1);
    for (const sessionId of ['a', 'b', 'nobody', undefined])
      await kept.put(`of ${String(sessionId)}`, { sealed: 's', sessionId });
    assert.equal(await kept.forgetOver(), 2);
    assert.equal(await kept.forgetOver(), 0);
    assert.deepEqual(
      (await kept.list(9)).map(({ id }) => id),
      ['of a', 'of undefined'],
    );
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
