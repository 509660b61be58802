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
    async takenBy(sessionId) {
      const own = [...taken].filter(([key]) => key.startsWith(`${sessionId} `));
      return new Map(own.map(([key, amount]) => [key.slice(sessionId.length + 1), amount]));
    },
    async takenByPrincipal(principalId, budgets) {
      return new Map(budgets.map((budget) => [budget, taken.get(`${principalId} ${budget}`) ?? 0]));
    },
    async reserve({ sessionId, principalId }, shares) {
      const keyOf = ({ of, budget }: { of: string; budget: string }): string =>
        `${of === 'session' ? sessionId : principalId} ${budget}`;
      for (const [share, one] of shares.entries()) {
        const left = Math.max(0, one.max - (taken.get(keyOf(one)) ?? 0));
        if (left < one.amount) return { kind: 'short', share, left };
      }
      for (const one of shares) taken.set(keyOf(one), (taken.get(keyOf(one)) ?? 0) + one.amount);
      return { kind: 'reserved' };
    },
    async settle({ sessionId, principalId }, changes) {
      for (const { of, budget, amount } of changes) {
        const key = `${of === 'session' ? sessionId : principalId} ${budget}`;
        taken.set(key, Math.max(0, (taken.get(key) ?? 0) + amount));
      }
    },
    async giveBack({ sessionId, budget }, amount) {
      calls.giveBack += 1;
      const key = `${sessionId} ${budget}`;
      taken.set(key, Math.max(0, (taken.get(key) ?? 0) - amount));
    },
  };
}
