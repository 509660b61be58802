// Budgets of calls of models. The most that a call can take is set aside in the store before it, in all accounts at once, so that no calls
// at the same time, at whatever gateways, take more together than there is. What it took is settled when it is over.

import { budgetPeriods, type LlmBudget } from '../../policy/llm-condition.ts';
import { usdText } from '../../policy/llm-rule.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { BudgetOwner, BudgetShare, BudgetStore } from '../../store/budget-store.ts';
import { costOf, type LlmPrices, type ModelPrices, worstCost } from '../../understand/llm-prices.ts';
import { type LlmUsage, tokensOf } from '../../understand/llm-usage.ts';
import { type ModelAccount, modelAccounts } from './model-accounts.ts';
import type { ModelCall, WorstUsage } from './model-call.ts';

export interface ModelBudgetsOptions {
  readonly prices: LlmPrices;
  readonly clock: () => number;
  /** The store did not take what a call took, so that the most stays charged. */
  readonly onFault?: (error: ProxyError) => void;
}

/** What a call took. */
export interface ModelCost {
  readonly usage: LlmUsage;
  /** It is the most that it could have taken: nobody said what it was. */
  readonly isEstimate: boolean;
  /** In billionths of one US dollar; undefined: no price is known. */
  readonly nanoUsd: number | undefined;
}

type Share = BudgetShare & ModelAccount;

export class ModelBudgets implements AsyncDisposable {
  readonly #store: BudgetStore;
  readonly #options: ModelBudgetsOptions;
  readonly #settling = new Set<Promise<void>>();

  constructor(store: BudgetStore, options: ModelBudgetsOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** @throws ProxyError limit_exceeded, policy_denied for a model without a price; store_unavailable */
  async setAside(owner: BudgetOwner, { request, terms, worst }: ModelCall): Promise<ModelSpend> {
    const nowMs = this.#options.clock();
    const prices = this.#options.prices.of(request.api, request.model, nowMs);
    const { budget } = terms;
    if (budget === undefined || worst === undefined) return new ModelSpend([], worst, prices, undefined);
    const shares = sharesOf(budget, worst, { prices, nowMs, model: request.model });
    const budgetsPerSessionMax = defaultLimits.budgetRulesPerSessionMax;
    const outcome = await this.#store.reserve(owner, shares, { budgetsPerSessionMax });
    if (outcome.kind === 'refused')
      throw new ProxyError('limit_exceeded', 'the session is over, or has no room for one more budget', {
        limit: 'budgetRulesPerSessionMax',
      });
    if (outcome.kind === 'short') throw short(budget, shares[outcome.share], outcome.left, nowMs);
    const settle = (cost: ModelCost): void => this.#settle(owner, shares, cost);
    return new ModelSpend(shares, worst, prices, settle);
  }

  #settle(owner: BudgetOwner, shares: readonly Share[], { usage, nanoUsd = 0 }: ModelCost): void {
    const taken: Readonly<Record<ModelAccount['kind'], number>> = { tokens: tokensOf(usage), nanoUsd };
    const changes = shares
      .map(({ of, budget, kind, amount }) => ({ of, budget, amount: taken[kind] - amount }))
      .filter(({ amount }) => amount !== 0);
    if (changes.length === 0) return;
    // Not repeated if it fails: the store may have taken it already.
    const settling = this.#store.settle(owner, changes).catch((error: unknown) => {
      this.#options.onFault?.(asProxyError(error));
    });
    this.#settling.add(settling);
    void settling.finally(() => this.#settling.delete(settling));
  }

  /** Waits for what is being settled. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#settling);
  }
}

/** What is set aside for one call, until it is settled: once, however the call ends. */
export class ModelSpend {
  readonly #worst: WorstUsage | undefined;
  readonly #prices: ModelPrices | undefined;
  #settle: ((cost: ModelCost) => void) | undefined;
  /** Whether anything is counted. */
  readonly isCounted: boolean;

  constructor(
    shares: readonly Share[],
    worst: WorstUsage | undefined,
    prices: ModelPrices | undefined,
    settle: ((cost: ModelCost) => void) | undefined,
  ) {
    this.#worst = worst;
    this.#prices = prices;
    this.#settle = settle;
    this.isCounted = shares.length > 0;
  }

  /** It took what the service said. */
  took(usage: LlmUsage): ModelCost {
    return this.#end({ usage, isEstimate: false, nanoUsd: this.#costOf(usage) });
  }

  /** It never began, or failed as calls do that services do not bill. */
  tookNothing(): ModelCost {
    return this.#end({ usage: nothing, isEstimate: false, nanoUsd: 0 });
  }

  /** It began, and nobody said what it took at its end. `partly`: what was said before that. Undefined: nothing bounds it. */
  tookUnknown(partly: LlmUsage | undefined): ModelCost | undefined {
    const worst = this.#worst;
    if (worst === undefined) return undefined;
    const isReadKnown = partly !== undefined && tokensOf(partly) > partly.output;
    const usage = isReadKnown
      ? { ...partly, output: Math.max(partly.output, worst.output) }
      : { ...nothing, input: worst.input, output: worst.output };
    const prices = this.#prices;
    const nanoUsd =
      prices === undefined
        ? undefined
        : isReadKnown
          ? costOf(prices, usage)
          : worstCost(prices, worst.input, worst.output);
    return this.#end({ usage, isEstimate: true, nanoUsd });
  }

  #costOf(usage: LlmUsage): number | undefined {
    return this.#prices === undefined ? undefined : costOf(this.#prices, usage);
  }

  #end(cost: ModelCost): ModelCost {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(cost);
    return cost;
  }
}

const nothing: LlmUsage = { input: 0, cached: 0, cacheWritten: 0, cacheWrittenLong: 0, output: 0 };

interface Pricing {
  readonly prices: ModelPrices | undefined;
  readonly nowMs: number;
  readonly model: string;
}

function sharesOf(budget: LlmBudget, worst: WorstUsage, { prices, nowMs, model }: Pricing): readonly Share[] {
  const tokens = worst.input + worst.output;
  const hasMoney = budgetPeriods.some((period) => budget.nanoUsd[period] !== undefined);
  if (hasMoney && prices === undefined)
    throw new ProxyError(
      'policy_denied',
      `the gateway has no price for the model ${JSON.stringify(model.slice(0, 100))}, so its calls cannot be counted in the ${named(budget)}`,
      { next: 'Use a model that has a price. The operator can add one (docs/reference/policy.md).' },
    );
  const nanoUsd = prices === undefined ? 0 : worstCost(prices, worst.input, worst.output);
  const amounts = { tokens, nanoUsd };
  const shares: Share[] = [];
  for (const account of modelAccounts(budget, nowMs))
    shares.push({ ...account, amount: amounts[account.kind] });
  return shares;
}

const dayMs = 86_400_000;

/** `budget shared` and `rule models` are what it is counted in. */
const named = ({ name }: LlmBudget): string => (name.startsWith('budget ') ? name : `budget of the ${name}`);

function short(budget: LlmBudget, share: Share | undefined, left: number, nowMs: number): ProxyError {
  if (share === undefined)
    return new ProxyError('internal', 'the store names a share that was not asked for');
  const amount = (value: number): string =>
    share.kind === 'nanoUsd' ? usdText(value) : `${String(value)} tokens`;
  const renewed = new Date(Math.floor(nowMs / dayMs) * dayMs + dayMs).toISOString().replace('.000', '');
  const [whose, until] =
    share.period === 'session'
      ? ['this session', 'It is not renewed.']
      : ['today', `It is renewed at ${renewed}.`];
  return new ProxyError(
    'limit_exceeded',
    `the ${named(budget)} has ${amount(left)} of ${amount(share.max)} left for ${whose}, and this call can take up to ${amount(share.amount)}`,
    { next: `${until} A shorter conversation or a smaller cap of the output takes less.` },
  );
}
