// Where calls of models are counted, and what is left there.

import { type BudgetPeriod, budgetPeriods, type LlmBudget, nanosPerUsd } from '../../policy/llm-condition.ts';
import { usdText } from '../../policy/llm-rule.ts';
import type { BudgetAccount } from '../../store/budget-store.ts';

export interface ModelAccount extends BudgetAccount {
  readonly kind: 'tokens' | 'nanoUsd';
  readonly period: BudgetPeriod;
  readonly max: number;
}

/** Those of now: a day has its own. */
export function modelAccounts(budget: LlmBudget, nowMs: number): readonly ModelAccount[] {
  const day = new Date(nowMs).toISOString().slice(0, 10);
  return budgetPeriods.flatMap((period) =>
    (['tokens', 'nanoUsd'] as const).flatMap((kind): readonly ModelAccount[] => {
      const max = budget[kind][period];
      if (max === undefined) return [];
      const of = period === 'session' ? 'session' : 'principal';
      const when = period === 'session' ? '' : ` ${day}`;
      return [{ kind, period, of, budget: `llm ${kind}${when} ${budget.name}`, max }];
    }),
  );
}

/** What is left for calls of models: whole tokens, and US dollars. */
export interface ModelsLeft {
  readonly tokens?: Readonly<Partial<Record<BudgetPeriod, number>>>;
  readonly money?: Readonly<Partial<Record<BudgetPeriod, number>>>;
}

export function modelsLeft(
  accounts: readonly ModelAccount[],
  spent: ReadonlyMap<string, number>,
): { readonly left: ModelsLeft; readonly texts: readonly string[] } {
  const left: {
    tokens?: Partial<Record<BudgetPeriod, number>>;
    money?: Partial<Record<BudgetPeriod, number>>;
  } = {};
  const texts = accounts.map(({ kind, period, budget, max }) => {
    const rest = Math.max(0, max - (spent.get(budget) ?? 0));
    const whose = period === 'session' ? 'for this session' : 'today';
    if (kind === 'tokens') {
      left.tokens = { ...left.tokens, [period]: rest };
      return `${String(rest)} of ${String(max)} tokens left ${whose}`;
    }
    left.money = { ...left.money, [period]: rest / nanosPerUsd };
    return `${usdText(rest)} of ${usdText(max)} left ${whose}`;
  });
  return { left, texts };
}
