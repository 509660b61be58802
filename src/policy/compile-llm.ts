// `llm` of a rule as it is written, to what is matched.

import {
  type BudgetAmounts,
  budgetPeriods,
  type LlmBudget,
  type LlmCondition,
  nanosPerUsd,
} from './llm-condition.ts';
import type { RuleDocument } from './policy-schema.ts';
import { asList } from './schema-parts.ts';
import { patternLengthMax } from './star-pattern.ts';
import type { Report } from './yaml-source.ts';

type LlmDocument = NonNullable<RuleDocument['llm']>;

/** Problems go to `report`; the result is of use only if none was an error. */
export function compileLlm(document: RuleDocument, report: Report): LlmCondition | undefined {
  const { llm } = document;
  if (llm === undefined) return undefined;
  if (document.methods !== undefined)
    report(['methods'], '"llm" says the methods of HTTP already; remove "methods"');
  for (const key of ['git', 'mcp'] as const)
    if (document[key] !== undefined)
      report([key], `no request is both a call of a model and of ${key}; write two rules`);
  if (document.deny !== undefined) checkDeny(llm, report);
  for (const key of ['models', 'tools'] as const)
    if (asList(llm[key]).some((one) => one.length > patternLengthMax))
      report(['llm', key], `a pattern is at most ${String(patternLengthMax)} characters long`);
  if (llm.unbounded !== undefined && llm.budget === undefined)
    report(['llm', 'unbounded'], 'without a budget all of it goes on; remove it, or write "budget"');
  return {
    api: llm.api,
    models: llm.models === undefined ? undefined : asList(llm.models),
    streaming: llm.streaming,
    tools: llm.tools === undefined ? undefined : asList(llm.tools),
    outputTokens: llm.outputTokens,
    unbounded: asList(llm.unbounded),
    budget: compileBudget(document.name, llm, report),
  };
}

function checkDeny(llm: LlmDocument, report: Report): void {
  for (const key of ['outputTokens', 'unbounded', 'budget'] as const)
    if (llm[key] !== undefined)
      report(['llm', key], `"${key}" has no meaning in a rule that denies; remove it`);
}

function compileBudget(
  rule: string,
  { budget, outputTokens }: LlmDocument,
  report: Report,
): LlmBudget | undefined {
  if (budget === undefined) return undefined;
  const path = ['llm', 'budget'] as const;
  const { tokens = {}, money = {} } = budget;
  if (outputTokens === undefined)
    report(
      path,
      'a call without a cap could write without end; write outputTokens, such as outputTokens: 8192',
    );
  if ([tokens, money].every((amounts) => budgetPeriods.every((period) => amounts[period] === undefined)))
    report(path, 'write how much it is, such as tokens: { session: 500000 } or money: { day: 20 }');
  const nanoUsd: Partial<Record<(typeof budgetPeriods)[number], number>> = {};
  for (const period of budgetPeriods) {
    const amount = money[period];
    if (amount === undefined) continue;
    const nanos = nanosOf(amount);
    if (nanos === undefined) report([...path, 'money', period], 'an amount has at most nine decimals');
    else nanoUsd[period] = nanos;
  }
  const amounts: BudgetAmounts = tokens;
  return {
    name: budget.name === undefined ? `rule ${rule}` : `budget ${budget.name}`,
    tokens: amounts,
    nanoUsd,
  };
}

/** Exact; undefined: it is none of whole billionths. */
function nanosOf(usd: number): number | undefined {
  const text = usd.toFixed(9);
  if (Number(text) !== usd) return undefined;
  const [whole = '0', decimals = ''] = text.split('.');
  return Number(whole) * nanosPerUsd + Number(decimals);
}
