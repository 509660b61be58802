// What every engine of the store must do with budgets; part of the suite in store.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Store } from '../../src/store/store.ts';
import { newSession } from './new-session.ts';

const bounds = { enrolmentsPerTokenMax: 10 };
const name = { sessionId: 'a', budget: 'tickets' };
const upTo = (max: number) => ({ max, budgetsPerSessionMax: 10 });

/** Of a session `a` or `b` of one principal. */
const owner = (sessionId: string) => ({ sessionId, principalId: newSession(sessionId).principalId });
const few = { budgetsPerSessionMax: 10 };

export function budgetConformance(open: () => Promise<Store>): void {
  test('what a session has taken is told by its budgets, and nothing of others', async () => {
    await using store = await open();
    const { sessions, budgets } = store;
    for (const id of ['told', 'other']) await sessions.enrol(newSession(id, { tokenKey: id }), bounds);
    await budgets.borrow({ sessionId: 'told', budget: 'a' }, 4, upTo(10));
    await budgets.borrow({ sessionId: 'told', budget: 'b' }, 2, upTo(10));
    await budgets.borrow({ sessionId: 'other', budget: 'a' }, 1, upTo(10));
    await budgets.giveBack({ sessionId: 'told', budget: 'a' }, 1);
    assert.deepEqual([...(await budgets.takenBy('told'))].toSorted(), [
      ['a', 3],
      ['b', 2],
    ]);
    assert.equal((await budgets.takenBy('unknown')).size, 0);
  });

  test('shares are set aside all or none, and the first that does not fit is told', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    const shares = (amount: number) =>
      [
        { of: 'session', budget: 'tokens', amount, max: 100 },
        { of: 'session', budget: 'money', amount: 2 * amount, max: 100 },
      ] as const;
    const reserve = (amount: number) => store.budgets.reserve(owner('a'), shares(amount), few);
    assert.deepEqual(await reserve(30), { kind: 'reserved' });
    assert.deepEqual(await reserve(30), { kind: 'short', share: 1, left: 40 });
    assert.deepEqual(await reserve(20), { kind: 'reserved' });
    assert.deepEqual(await reserve(1), { kind: 'short', share: 1, left: 0 });
    await store.budgets.settle(owner('a'), [{ of: 'session', budget: 'money', amount: -50 }]);
    assert.deepEqual(await reserve(25), { kind: 'reserved' });
    await store.budgets.settle(owner('a'), [{ of: 'session', budget: 'money', amount: 70 }]);
    assert.deepEqual(await reserve(1), { kind: 'short', share: 1, left: 0 });
  });

  test('what all sessions of a principal took counts in its accounts, and those of another do not', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    await store.sessions.enrol(newSession('b', { tokenKey: 'token-2' }), bounds);
    await store.sessions.enrol(newSession('c', { tokenKey: 'token-3', principalId: 'other' }), bounds);
    const share = [{ of: 'principal', budget: 'day', amount: 60, max: 100 }] as const;
    assert.deepEqual(await store.budgets.reserve(owner('a'), share, few), { kind: 'reserved' });
    assert.deepEqual(await store.budgets.reserve(owner('b'), share, few), {
      kind: 'short',
      share: 0,
      left: 40,
    });
    assert.deepEqual(await store.budgets.reserve({ sessionId: 'c', principalId: 'other' }, share, few), {
      kind: 'reserved',
    });
    const ofDay = [{ of: 'principal', budget: 'of b', amount: 5, max: 100 }] as const;
    assert.deepEqual(await store.budgets.reserve(owner('b'), ofDay, few), { kind: 'reserved' });
    const { principalId } = owner('a');
    const together = await store.budgets.takenByPrincipal(principalId, ['day', 'of b', "none'"]);
    assert.deepEqual([...together].toSorted(), [
      ['day', 60],
      ['of b', 5],
    ]);
    assert.deepEqual([...(await store.budgets.takenByPrincipal('other', ['of b']))], []);
    assert.deepEqual([...(await store.budgets.takenByPrincipal(principalId, []))], []);
    await store.sessions.end('a', { state: 'ended', reason: 'done' }, 2000);
    assert.deepEqual(await store.budgets.reserve(owner('a'), share, few), { kind: 'refused' });
    await store.budgets.settle(owner('a'), [{ of: 'principal', budget: 'day', amount: -30 }]);
    assert.deepEqual(await store.budgets.reserve(owner('b'), share, few), { kind: 'reserved' });
  });

  test('of fifty that ask at once only as many get something as there is', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    await store.sessions.enrol(newSession('b', { tokenKey: 'token-2' }), bounds);
    const share = [{ of: 'principal', budget: 'day', amount: 7, max: 100 }] as const;
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, at) =>
        store.budgets.reserve(owner(at % 2 === 0 ? 'a' : 'b'), share, few),
      ),
    );
    assert.equal(outcomes.filter(({ kind }) => kind === 'reserved').length, 14);
  });

  test('a budget is borrowed to its end and no further', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    assert.equal(await store.budgets.borrow(name, 4, upTo(10)), 4);
    assert.equal(await store.budgets.borrow(name, 4, upTo(10)), 4);
    assert.equal(await store.budgets.borrow(name, 4, upTo(10)), 2);
    assert.equal(await store.budgets.borrow(name, 4, upTo(10)), 0);
  });

  test('what is given back can be borrowed again, and never more than was taken', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    await store.budgets.giveBack(name, 5);
    assert.equal(await store.budgets.borrow(name, 10, upTo(10)), 10);
    await store.budgets.giveBack(name, 3);
    assert.equal(await store.budgets.borrow(name, 10, upTo(10)), 3);
    await store.budgets.giveBack(name, 1000);
    assert.equal(await store.budgets.borrow(name, 1000, upTo(10)), 10);
  });

  test('what was taken counts against a bound that was changed', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    assert.equal(await store.budgets.borrow(name, 6, upTo(10)), 6);
    assert.equal(await store.budgets.borrow(name, 6, upTo(3)), 0);
    assert.equal(await store.budgets.borrow(name, 6, upTo(8)), 2);
  });

  test('sessions and names do not share a budget', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    await store.sessions.enrol(newSession('b', { tokenKey: 'token-2' }), bounds);
    for (const sessionId of ['a', 'b'])
      for (const budget of ['tickets', 'rows'])
        assert.equal(await store.budgets.borrow({ sessionId, budget }, 9, upTo(5)), 5);
  });

  test('a session that is unknown or over borrows nothing, and what it took goes with it', async () => {
    await using store = await open();
    assert.equal(await store.budgets.borrow(name, 4, upTo(10)), 0);
    await store.sessions.enrol(newSession('a'), bounds);
    await store.sessions.commit('a', 1500);
    assert.equal(await store.budgets.borrow(name, 4, upTo(10)), 4);
    await store.sessions.end('a', { state: 'ended', reason: 'done' }, 2000);
    assert.equal(await store.budgets.borrow(name, 4, upTo(10)), 0);
    await store.budgets.giveBack(name, 1);
    assert.equal(await store.sessions.prune(3000), 1);
    await store.sessions.enrol(newSession('a', { tokenKey: 'token-2' }), bounds);
    assert.equal(await store.budgets.borrow(name, 99, upTo(10)), 10);
  });

  test('a session has no more budgets than its bound, and keeps those that it has', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    const few = { max: 10, budgetsPerSessionMax: 2 };
    const borrow = (budget: string): Promise<number> =>
      store.budgets.borrow({ sessionId: 'a', budget }, 1, few);
    assert.deepEqual(
      [await borrow('1'), await borrow('2'), await borrow('3'), await borrow('1')],
      [1, 1, 0, 1],
    );
  });

  test('whatever gateways borrow, spend, give back and lose, no more is spent than the budget', async () => {
    const amount = fc.integer({ min: 1, max: 40 });
    const gateway = fc.integer({ min: 0, max: 2 });
    const step = fc.oneof(
      fc.record({ kind: fc.constant('borrow' as const), gateway, amount }),
      fc.record({ kind: fc.constant('spend' as const), gateway, amount }),
      fc.record({ kind: fc.constant('giveBack' as const), gateway, amount }),
      fc.record({ kind: fc.constant('crash' as const), gateway, amount }),
    );
    await using store = await open();
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 100 }),
        fc.array(step, { maxLength: 40 }),
        async (max, steps) => {
          run += 1;
          const one = { sessionId: `s${run}`, budget: 'tickets' };
          await store.sessions.enrol(newSession(one.sessionId, { tokenKey: one.sessionId }), bounds);
          const held = [0, 0, 0];
          let [spent, lost] = [0, 0];
          for (const { kind, gateway: g, amount: n } of steps) {
            const has = held[g] ?? 0;
            if (kind === 'borrow') held[g] = has + (await store.budgets.borrow(one, n, upTo(max)));
            else if (kind === 'crash') [lost, held[g]] = [lost + has, 0];
            else {
              const part = Math.min(n, has);
              held[g] = has - part;
              if (kind === 'spend') spent += part;
              else await store.budgets.giveBack(one, part);
            }
            assert.ok(spent + lost + held.reduce((sum, h) => sum + h, 0) <= max);
          }
          // What was neither spent, nor held, nor lost is there to be borrowed.
          const out = spent + lost + held.reduce((sum, h) => sum + h, 0);
          assert.equal(await store.budgets.borrow(one, 1000, upTo(max)), max - out);
        },
      ),
      { seed: 11, numRuns: 60 },
    );
  });
}
