import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SessionBudgets } from '../../../src/gateway/exchange/session-budgets.ts';

const refused = { code: 'limit_exceeded' };

test('requests a second are refilled with time, and the refusal says when to come back', () => {
  const budgets = new SessionBudgets();
  const ask = (nowMs: number): unknown => budgets.admit('s', 'r', { requestsPerSecond: 2 }, nowMs);
  ask(0);
  ask(0);
  assert.throws(() => ask(100), { ...refused, retryAfterSeconds: 1 });
  ask(500);
  assert.throws(() => ask(500), refused);
  ask(10_000);
  ask(10_000);
  assert.throws(() => ask(10_000), refused);
});

test('less than one request a second still lets the first one through', () => {
  const budgets = new SessionBudgets();
  const ask = (nowMs: number): unknown => budgets.admit('s', 'r', { requestsPerSecond: 0.1 }, nowMs);
  ask(0);
  assert.throws(() => ask(1_000), { ...refused, retryAfterSeconds: 9 });
  ask(10_000);
});

test('a clock that goes back gives nothing for free', () => {
  const budgets = new SessionBudgets();
  budgets.admit('s', 'r', { requestsPerSecond: 1 }, 1_000);
  assert.throws(() => budgets.admit('s', 'r', { requestsPerSecond: 1 }, 0), refused);
});

test('requests and bytes of a session are counted over all its requests through the rule', () => {
  const budgets = new SessionBudgets();
  const limits = { requestsPerSession: 3, bytesPerSession: 100 };
  budgets.admit('s', 'r', limits, 0)(60);
  const spend = budgets.admit('s', 'r', limits, 0);
  assert.throws(() => spend(41), refused);
  assert.throws(() => budgets.admit('s', 'r', limits, 0), /bytesPerSession/);
});

test('sessions and rules do not share a budget, and a session that ended has none', () => {
  const budgets = new SessionBudgets();
  const limits = { requestsPerSession: 1 };
  budgets.admit('a', 'r', limits, 0);
  budgets.admit('b', 'r', limits, 0);
  budgets.admit('a', 'other', limits, 0);
  assert.throws(() => budgets.admit('a', 'r', limits, 0), refused);
  budgets.forget('a');
  budgets.admit('a', 'r', limits, 0);
  budgets.forget('a');
  budgets.forget('b');
  assert.equal(budgets.size, 0);
});

test('rules without limits cost nothing', () => {
  const budgets = new SessionBudgets();
  budgets.admit('s', 'r', {}, 0)(1_000_000);
  assert.equal(budgets.size, 0);
});
