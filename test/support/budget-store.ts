// Budgets in memory, for tests that need no store, and how often each call was made.

import type { BudgetStore } from '../../src/store/budget-store.ts';

export interface CountedBudgets extends BudgetStore {
  readonly calls: { borrow: number; giveBack: number };
  /** What was taken, by session and budget. */
  readonly taken: ReadonlyMap<string, number>;
}

export function memoryBudgets(): CountedBudgets {
  const taken = new Map<string, number>();
  const calls = { borrow: 0, giveBack: 0 };
  return {
    calls,
    taken,
    async borrow({ sessionId, budget }, amount, { max }) {
      calls.borrow += 1;
      const key = `${sessionId} ${budget}`;
      const before = taken.get(key) ?? 0;
      const granted = Math.max(0, Math.min(amount, max - before));
      taken.set(key, before + granted);
      return granted;
    },
    async giveBack({ sessionId, budget }, amount) {
      calls.giveBack += 1;
      const key = `${sessionId} ${budget}`;
      taken.set(key, Math.max(0, (taken.get(key) ?? 0) - amount));
    },
  };
}
