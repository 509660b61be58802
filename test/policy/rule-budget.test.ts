import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RuleBudgets } from '../../src/policy/rule-budget.ts';

test('a rate lets one second of requests follow at once, and then what time gives back', () => {
  const budgets = new RuleBudgets();
  const take = (nowMs: number) => budgets.takeRequest('s', 'r', { requestsPerSecond: 2 }, nowMs);
  assert.deepEqual([take(0), take(0)], [undefined, undefined]);
  assert.deepEqual(take(0), { limit: 'requestsPerSecond', value: 2 });
  assert.deepEqual(take(499), { limit: 'requestsPerSecond', value: 2 });
  assert.equal(take(500), undefined);
  assert.deepEqual(take(400), { limit: 'requestsPerSecond', value: 2 });
  assert.deepEqual([take(60_000), take(60_000)], [undefined, undefined]);
  assert.deepEqual(take(60_000), { limit: 'requestsPerSecond', value: 2 });
});

test('a rate below one lets single requests through', () => {
  const budgets = new RuleBudgets();
  const take = (nowMs: number) => budgets.takeRequest('s', 'r', { requestsPerSecond: 0.5 }, nowMs);
  assert.equal(take(0), undefined);
  assert.notEqual(take(1999), undefined);
  assert.equal(take(2000), undefined);
});

test('a count holds for the session and the rule', () => {
  const budgets = new RuleBudgets();
  const take = (session: string, rule: string) =>
    budgets.takeRequest(session, rule, { requestsPerSession: 1 }, 0);
  assert.equal(take('s', 'r'), undefined);
  assert.deepEqual(take('s', 'r'), { limit: 'requestsPerSession', value: 1 });
  assert.deepEqual([take('s', 'other'), take('t', 'r')], [undefined, undefined]);
  budgets.forget('s');
  assert.equal(take('s', 'r'), undefined);
});

test('bytes are counted both ways, and their limit refuses further requests', () => {
  const budgets = new RuleBudgets();
  const limits = { bytesPerSession: 100 };
  assert.equal(budgets.takeBytes('s', 'r', limits, 100), undefined);
  assert.deepEqual(budgets.takeRequest('s', 'r', limits, 0), { limit: 'bytesPerSession', value: 100 });
  assert.deepEqual(budgets.takeBytes('s', 'r', limits, 1), { limit: 'bytesPerSession', value: 100 });
});

test('a rule without limits costs nothing and keeps nothing', () => {
  const budgets = new RuleBudgets();
  assert.equal(budgets.takeRequest('s', 'r', {}, 0), undefined);
  assert.equal(budgets.takeBytes('s', 'r', { bodyBytes: 1 }, 1000), undefined);
});
