import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SessionBudgets } from '../../../src/gateway/exchange/session-budgets.ts';
import type { SpendBytes } from '../../../src/gateway/forward/metered-stream.ts';
import type { RuleLimits } from '../../../src/policy/decision.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { memoryBudgets } from '../../support/budget-store.ts';

const refused = { code: 'limit_exceeded' };

type Ask = (
  budgets: SessionBudgets,
  limits: RuleLimits,
  more?: {
    readonly rule?: string;
    readonly session?: string;
    readonly budget?: string;
    readonly nowMs?: number;
  },
) => Promise<SpendBytes | undefined>;

const ask: Ask = (budgets, limits, { rule = 'r', session = 's', budget = 'b', nowMs = 0 } = {}) =>
  budgets.admit(session, { rule: { name: rule }, limits, budget }, nowMs);

test('requests a second are refilled with time, and the refusal says when to come back', async () => {
  const budgets = new SessionBudgets(memoryBudgets());
  const at = (nowMs: number): Promise<unknown> => ask(budgets, { requestsPerSecond: 2 }, { nowMs });
  await at(0);
  await at(0);
  await assert.rejects(at(100), { ...refused, retryAfterSeconds: 1 });
  await at(500);
  await assert.rejects(at(500), refused);
  await at(10_000);
  await at(10_000);
  await assert.rejects(at(10_000), refused);
});

test('less than one request a second still lets the first one through', async () => {
  const budgets = new SessionBudgets(memoryBudgets());
  const at = (nowMs: number): Promise<unknown> => ask(budgets, { requestsPerSecond: 0.1 }, { nowMs });
  await at(0);
  await assert.rejects(at(1_000), { ...refused, retryAfterSeconds: 9 });
  await at(10_000);
});

test('a clock that goes back gives nothing for free', async () => {
  const budgets = new SessionBudgets(memoryBudgets());
  await ask(budgets, { requestsPerSecond: 1 }, { nowMs: 1_000 });
  await assert.rejects(ask(budgets, { requestsPerSecond: 1 }, { nowMs: 0 }), refused);
});

test('requests and bytes of a session are counted over all its requests through the rule', async () => {
  const budgets = new SessionBudgets(memoryBudgets());
  const limits = { requestsPerSession: 3, bytesPerSession: 100 };
  await (
    await ask(budgets, limits)
  )?.(60);
  const spend = await ask(budgets, limits);
  await assert.rejects(async () => spend?.(41), refused);
  await assert.rejects(ask(budgets, limits), /bytesPerSession/);
});

test('sessions and budgets do not share, and names of rules say nothing', async () => {
  const budgets = new SessionBudgets(memoryBudgets());
  const limits = { requestsPerSession: 1 };
  await ask(budgets, limits, { session: 'a' });
  await ask(budgets, limits, { session: 'b' });
  await ask(budgets, limits, { session: 'a', budget: 'other' });
  await assert.rejects(ask(budgets, limits, { session: 'a', rule: 'renamed' }), refused);
  budgets.forget('a');
  budgets.forget('b');
  assert.equal(budgets.size, 0);
});

test('what one rule borrowed is not for another that shares the budget and has a lower limit', async () => {
  const budgets = new SessionBudgets(memoryBudgets());
  for (let i = 0; i < 10; i += 1) await ask(budgets, { requestsPerSession: 10_000 });
  await assert.rejects(ask(budgets, { requestsPerSession: 10 }, { rule: 'strict' }), refused);
});

test('a budget outlives the gateway, which gives back what it did not use', async () => {
  const store = memoryBudgets();
  const limits = { requestsPerSession: 1_000, bytesPerSession: 1_000_000 };
  {
    await using budgets = new SessionBudgets(store);
    for (let i = 0; i < 10; i += 1) await (await ask(budgets, limits))?.(100);
  }
  assert.deepEqual(Object.fromEntries(store.taken), {
    's requestsPerSession b': 10,
    's bytesPerSession b': 1_000,
  });
  await using budgets = new SessionBudgets(store);
  for (let i = 10; i < 1_000; i += 1) await ask(budgets, limits);
  await assert.rejects(ask(budgets, limits), /requestsPerSession/);
});

test('a gateway that is killed costs a block at most, and what it spent stays spent', async () => {
  const store = memoryBudgets();
  const limits = { requestsPerSession: 160 };
  const killed = new SessionBudgets(store);
  for (let i = 0; i < 25; i += 1) await ask(killed, limits);
  const next = new SessionBudgets(store);
  let admitted = 0;
  for (; admitted < 1_000; admitted += 1)
    if (
      await ask(next, limits).then(
        () => false,
        () => true,
      )
    )
      break;
  assert.ok(admitted <= 160 - 25 && admitted >= 160 - 25 - 10, String(admitted));
});

test('10,000 requests with bytes ask the store a few dozen times, and refusals once a second', async () => {
  const store = memoryBudgets();
  let nowMs = 0;
  const budgets = new SessionBudgets(store, { clock: () => nowMs });
  const limits = { requestsPerSession: 10_000, bytesPerSession: 10_000_000 };
  for (let i = 0; i < 10_000; i += 1) await (await ask(budgets, limits))?.(900);
  assert.ok(store.calls.borrow <= 40, String(store.calls.borrow));
  const before = store.calls.borrow;
  for (let i = 0; i < 1_000; i += 1) await assert.rejects(ask(budgets, limits), refused);
  assert.equal(store.calls.borrow, before + 1);
  nowMs += 1_000;
  await assert.rejects(ask(budgets, limits), refused);
  assert.equal(store.calls.borrow, before + 2);
});

test('requests that come at once spend the budget exactly, with one question to the store at a time', async () => {
  const store = memoryBudgets();
  const budgets = new SessionBudgets(store);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 300 }, () => ask(budgets, { requestsPerSession: 160 })),
  );
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 160);
  assert.ok(store.calls.borrow <= 17, String(store.calls.borrow));
});

test('a session that ends while the store is asked gets nothing and keeps nothing', async () => {
  const store = memoryBudgets();
  const budgets = new SessionBudgets(store);
  const asked = ask(budgets, { requestsPerSession: 1_000 });
  budgets.forget('s');
  await assert.rejects(asked, refused);
  await budgets[Symbol.asyncDispose]();
  assert.equal(store.taken.get('s requestsPerSession b'), 0);
});

test('a request that its rate refuses has not spent a request', async () => {
  const store = memoryBudgets();
  const limits = { requestsPerSecond: 1, requestsPerSession: 2 };
  const budgets = new SessionBudgets(store);
  await ask(budgets, limits);
  await assert.rejects(ask(budgets, limits), { retryAfterSeconds: 1 });
  await ask(budgets, limits, { nowMs: 1_000 });
});

test('a session has no more limits running than its bound', async () => {
  const budgets = new SessionBudgets(memoryBudgets());
  for (let i = 0; i < defaultLimits.budgetRulesPerSessionMax; i += 1)
    await ask(budgets, { requestsPerSession: 9 }, { budget: String(i) });
  await assert.rejects(ask(budgets, { requestsPerSession: 9 }), /budgetRulesPerSessionMax/);
  await ask(budgets, { requestsPerSession: 9 }, { budget: '0' });
});

test('a store that cannot be asked refuses the request', async () => {
  const fault = new Error('away');
  const store = { ...memoryBudgets(), borrow: () => Promise.reject(fault) };
  await assert.rejects(ask(new SessionBudgets(store), { requestsPerSession: 9 }), fault);
});

test('rules without limits cost nothing', async () => {
  const store = memoryBudgets();
  const budgets = new SessionBudgets(store);
  assert.equal(await ask(budgets, {}), undefined);
  assert.equal(budgets.size, 0);
  assert.equal(store.calls.borrow, 0);
});
