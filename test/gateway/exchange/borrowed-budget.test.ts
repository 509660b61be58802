import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { ProxyError } from '../../../src/protocol/error.ts';
import { BorrowedBudget } from '../../../src/gateway/exchange/borrowed-budget.ts';
import { memoryBudgets } from '../../support/budget-store.ts';

const name = { sessionId: 's', budget: 'b' };
const rest = { name, continuesAlone: false, budgetsPerSessionMax: 10, clock: () => 0 };

test('what is there is taken without asking, what is not is borrowed in a block', async () => {
  const store = memoryBudgets();
  const budget = new BorrowedBudget({ store, max: 160, blockMax: 1_000, ...rest });
  assert.equal(await budget.take(4), true);
  assert.equal(budget.take(6), true);
  assert.equal(store.calls.borrow, 1);
  assert.equal(await budget.take(1), true);
  assert.equal(store.calls.borrow, 2);
});

test('a budget that had too little is spent, and nothing of it comes back', async () => {
  const store = memoryBudgets();
  const budget = new BorrowedBudget({ store, max: 10, blockMax: 1_000, ...rest });
  assert.equal(await budget.take(8), true);
  assert.equal(await budget.take(3), false);
  assert.equal(await budget.take(1), false);
  await budget.release();
  assert.equal(store.taken.get('s b'), 10);
});

test('however gateways take, end and are killed, no more is taken than the budget', async () => {
  const step = fc.record({
    gateway: fc.nat({ max: 2 }),
    amounts: fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 6 }),
    outcome: fc.constantFrom('goes on', 'ends', 'is killed'),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 300 }),
      fc.array(step, { maxLength: 12 }),
      async (max, steps) => {
        const store = memoryBudgets();
        const start = (): BorrowedBudget => new BorrowedBudget({ store, max, blockMax: 64, ...rest });
        const gateways = [start(), start(), start()];
        let spent = 0;
        for (const { gateway, amounts, outcome } of steps) {
          const one = gateways[gateway] ?? start();
          const take = async (amount: number): Promise<void> => {
            if (await one.take(amount)) spent += amount;
          };
          const takes = amounts.map(take);
          if (outcome === 'ends') await one.release();
          await Promise.all(takes);
          assert.ok(spent <= (store.taken.get('s b') ?? 0) && spent <= max);
          if (outcome !== 'goes on') gateways[gateway] = start();
        }
      },
    ),
    { seed: 16, numRuns: 200 },
  );
});

test('while the store is away a budget that continues spends one block more, which the store is told of when it is back', async () => {
  const store = memoryBudgets();
  let isAway = false;
  const away: typeof store = Object.assign(Object.create(store), {
    borrow: (...given: Parameters<typeof store.borrow>) =>
      isAway ? Promise.reject(new ProxyError('store_unavailable', 'it is away')) : store.borrow(...given),
  });
  const make = (continuesAlone: boolean): BorrowedBudget =>
    new BorrowedBudget({ store: away, max: 160, blockMax: 1_000, ...rest, continuesAlone });
  const [hard, soft] = [make(false), make(true)];
  isAway = true;
  await assert.rejects(async () => hard.take(1), { code: 'store_unavailable' });
  for (let spent = 0; spent < 10; spent += 1) assert.equal(await soft.take(1), true);
  assert.equal(await soft.take(1), false, 'one block and no more');
  isAway = false;
  assert.equal(store.taken.get('s b') ?? 0, 0);
  const next = make(true);
  isAway = true;
  assert.equal(await next.take(4), true);
  isAway = false;
  await next.release();
  assert.equal(store.taken.get('s b'), 4, 'what was spent alone is counted');
});

test('what was spent without the store is paid with the next block', async () => {
  const store = memoryBudgets();
  let isAway = true;
  const away: typeof store = Object.assign(Object.create(store), {
    borrow: (...given: Parameters<typeof store.borrow>) =>
      isAway ? Promise.reject(new ProxyError('store_unavailable', 'it is away')) : store.borrow(...given),
  });
  const budget = new BorrowedBudget({
    store: away,
    max: 160,
    blockMax: 1_000,
    ...rest,
    continuesAlone: true,
  });
  for (let spent = 0; spent < 10; spent += 1) assert.equal(await budget.take(1), true);
  isAway = false;
  assert.equal(await budget.take(1), true);
  assert.equal(store.taken.get('s b'), 20);
  await budget.release();
  assert.equal(store.taken.get('s b'), 11);
});
