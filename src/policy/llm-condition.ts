// What `llm` of a rule says, as plain data.

import type { LlmApi } from '../understand/llm-endpoint.ts';

export const budgetPeriods = ['session', 'day'] as const;
/** `session`: of one session; `day`: of all sessions of a principal in a day of UTC. */
export type BudgetPeriod = (typeof budgetPeriods)[number];
export type BudgetAmounts = Readonly<Partial<Record<BudgetPeriod, number>>>;

export interface LlmBudget {
  readonly name: string;
  readonly tokens: BudgetAmounts;
  /** In billionths of one US dollar. */
  readonly nanoUsd: BudgetAmounts;
}

/** Plain data. */
export interface LlmCondition {
  readonly api: LlmApi;
  /** Undefined: all. */
  readonly models: readonly string[] | undefined;
  readonly streaming: boolean | undefined;
  readonly tools: readonly string[] | undefined;
  readonly outputTokens: number | undefined;
  readonly unbounded: readonly string[];
  readonly budget: LlmBudget | undefined;
}

export const nanosPerUsd = 1_000_000_000;
