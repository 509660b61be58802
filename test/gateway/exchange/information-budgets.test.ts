import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SessionBudgets } from '../../../src/gateway/exchange/session-budgets.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import type { RequestHead } from '../../../src/http/message-head.ts';
import type { RuleLimits } from '../../../src/policy/decision.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { memoryBudgets } from '../../support/budget-store.ts';

const ruleOf = (limits: RuleLimits) => ({ rule: { name: 'out' }, limits, budget: 'budget out' });
const get = (target: string, fields: readonly (readonly [string, string])[] = []): RequestHead => {
  const [path = '/', query] = target.split('?');
  const destination = { scheme: 'https', host: 'a.test', port: 443 } as const;
  return {
    method: 'GET',
    destination,
    path,
    query: query === undefined ? '' : `?${query}`,
    headers: new HeaderList(fields),
    httpVersion: '1.1',
  };
};
const refused = (text: RegExp) => (error: unknown) =>
  error instanceof ProxyError && error.code === 'limit_exceeded' && text.test(error.message);

test('a session asks for so many different URLs, and for each of them again', async () => {
  await using budgets = new SessionBudgets(memoryBudgets());
  const ask = (target: string, session = 's'): Promise<unknown> =>
    budgets.information.admit(session, ruleOf({ urlsPerSession: 3 }), get(target), 0);
  for (const target of ['/a', '/b', '/a', '/a?x', '/b', '/a?x']) await ask(target);
  await assert.rejects(ask('/c'), refused(/3 different URLs/));
  await ask('/a');
  await ask('/c', 'another session');
});

test('the octets of paths and queries are counted, of each URL once', async () => {
  await using budgets = new SessionBudgets(memoryBudgets());
  const ask = (target: string): Promise<unknown> =>
    budgets.information.admit('s', ruleOf({ urlBytesPerSession: 20 }), get(target), 0);
  for (let i = 0; i < 9; i += 1) await ask('/123?45678');
  await ask('/2345?7890');
  await assert.rejects(ask('/'), refused(/20 bytes of URLs/));
});

test('what the client sends is counted: its head before anything goes, its body as it passes', async () => {
  await using budgets = new SessionBudgets(memoryBudgets());
  const rule = ruleOf({ bytesOutPerSession: 100 });
  const admit = (target: string): ReturnType<typeof budgets.information.admit> =>
    budgets.information.admit('s', rule, get(target, [['x-a', '1234567']]), 0);
  // Method, path, and a field of ten.
  const spend = await admit('/1234567');
  assert.ok(spend !== undefined);
  await spend(79 - 6);
  await assert.rejects(async () => spend(20), refused(/100 bytes out/));
  await assert.rejects(admit('/1234567'), refused(/100 bytes out/));
});

test('a store that other gateways use bounds all of them together', async () => {
  const store = memoryBudgets();
  await using here = new SessionBudgets(store);
  await using there = new SessionBudgets(store);
  const rule = ruleOf({ urlsPerSession: 16 });
  let asked = 0;
  for (let i = 0; i < 40; i += 1)
    for (const budgets of [here, there])
      asked += await budgets.information
        .admit('s', rule, get(`/${i}${budgets === here ? 'h' : 't'}`), 0)
        .then(
          () => 1,
          () => 0,
        );
  assert.ok(asked <= 16 && asked > 0, String(asked));
});

test('what is forgotten of a session takes no memory', async () => {
  await using budgets = new SessionBudgets(memoryBudgets());
  await budgets.information.admit('s', ruleOf({ urlsPerSession: 3 }), get('/a'), 0);
  budgets.forget('s');
  assert.equal(budgets.size, 0);
});
