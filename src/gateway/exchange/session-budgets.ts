// What one session may still do: requests and streams a second at the gateway, and what the limits of each rule leave.
// Never shared between sessions. What holds for all of a session is borrowed from the store, so that it outlives this process.

import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Principal } from '../../policy/decision.ts';
import { TokenBucket } from '../../protocol/token-bucket.ts';
import type { BudgetStore } from '../../store/budget-store.ts';
import type { SpendBytes } from '../forward/metered-stream.ts';
import { BorrowedBudget } from './borrowed-budget.ts';
import { budgetName, type CountedLimit, type Limited } from './counted-limits.ts';
import { InformationBudgets } from './information-budgets.ts';

/** Streams that are refused for their rate are told in the audit this often: an event for each would be a flood too. */
const reportIntervalMs = 1_000;

interface Session {
  readonly requests: TokenBucket;
  readonly streams: TokenBucket;
  readonly rates: Map<string, TokenBucket>;
  readonly borrowed: Map<string, BorrowedBudget>;
  refusedStreams: number;
  reportedMs: number;
}

export interface SessionBudgetsOptions {
  readonly limits?: Limits;
  readonly clock?: () => number;
  /** The store did not take back what was left. */
  readonly onFault?: (error: ProxyError) => void;
}

export class SessionBudgets implements AsyncDisposable {
  readonly #store: BudgetStore;
  readonly #limits: Limits;
  readonly #clock: () => number;
  readonly #onFault: (error: ProxyError) => void;
  readonly #sessions = new Map<string, Session>();
  readonly #releasing = new Set<Promise<void>>();

  constructor(store: BudgetStore, options: SessionBudgetsOptions = {}) {
    this.#store = store;
    this.#limits = options.limits ?? defaultLimits;
    this.#clock = options.clock ?? (() => performance.now());
    this.#onFault = options.onFault ?? (() => undefined);
  }

  /** What the requests of a session can say. */
  readonly information = new InformationBudgets(this);

  /** Sessions with something counted. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Any request of the session, whatever becomes of it. @throws ProxyError limit_exceeded, with when to try again */
  admitRequest(sessionId: string, nowMs: number): void {
    const { requestsPerSecondMax } = this.#limits;
    const waitSeconds = this.#session(sessionId, nowMs).requests.take(requestsPerSecondMax, nowMs);
    if (waitSeconds === 0) return;
    throw new ProxyError(
      'limit_exceeded',
      `the session may make ${requestsPerSecondMax} requests a second (requestsPerSecondMax); try again in ${waitSeconds} s`,
      { limit: 'requestsPerSecondMax', retryAfterSeconds: waitSeconds },
    );
  }

  /** Any stream that the session opens. @throws ProxyError limit_exceeded, with when to try again */
  admitStream(sessionId: string, nowMs: number): void {
    const { streamsPerSecondMax } = this.#limits;
    const session = this.#session(sessionId, nowMs);
    const waitSeconds = session.streams.take(streamsPerSecondMax, nowMs);
    if (waitSeconds === 0) return;
    session.refusedStreams += 1;
    throw new ProxyError(
      'limit_exceeded',
      `the session may open ${streamsPerSecondMax} connections a second (streamsPerSecondMax); try again in ${waitSeconds} s`,
      { limit: 'streamsPerSecondMax', retryAfterSeconds: waitSeconds },
    );
  }

  /** Streams refused since they were told last; undefined if that is not long ago. */
  takeRefusedStreams(sessionId: string, nowMs: number): number | undefined {
    const session = this.#session(sessionId, nowMs);
    if (Math.abs(nowMs - session.reportedMs) < reportIntervalMs) return undefined;
    const { refusedStreams } = session;
    session.refusedStreams = 0;
    session.reportedMs = nowMs;
    return refusedStreams;
  }

  /**
   * Counts a request against the limits of its rule. Gives what its bytes are paid with, if there is a limit of them. The store is
   * waited for only when a block is used up.
   * @throws ProxyError limit_exceeded, with when to try again; store_unavailable
   */
  async admit(sessionId: string, decision: Limited, nowMs: number): Promise<SpendBytes | undefined> {
    const { rule, limits } = decision;
    const { requestsPerSecond, requestsPerSession, bytesPerSession } = limits;
    if (requestsPerSecond === undefined && requestsPerSession === undefined && bytesPerSession === undefined)
      return undefined;
    const requests = this.borrowed(sessionId, decision, 'requestsPerSession', nowMs);
    const bytes = this.borrowed(sessionId, decision, 'bytesPerSession', nowMs);
    if (requests !== undefined && !(await requests.take(1))) {
      throw spent(rule.name, `${requestsPerSession} requests in a session (requestsPerSession)`);
    }
    try {
      if (bytes !== undefined) {
        if (!(await bytes.take(1))) throw bytesSpent(rule.name, bytesPerSession);
        bytes.putBack(1);
      }
      if (requestsPerSecond !== undefined) this.#takeRate(sessionId, rule.name, requestsPerSecond, nowMs);
    } catch (error) {
      requests?.putBack(1);
      throw error;
    }
    return bytes === undefined ? undefined : payerOf(bytes, bytesSpent(rule.name, bytesPerSession));
  }

  /**
   * What a session has spent of its budgets, by their names, and all sessions of its principal of those that they share; what another gateway
   * has borrowed for it counts as spent. Undefined where the store cannot say.
   */
  async spentBy(
    { sessionId, id }: Pick<Principal, 'sessionId' | 'id'>,
    shared: readonly string[],
  ): Promise<ReadonlyMap<string, number> | undefined> {
    try {
      const spent = new Map(await this.#store.takenBy(sessionId));
      const together = shared.length === 0 ? [] : await this.#store.takenByPrincipal(id, shared);
      for (const name of shared) spent.delete(name);
      for (const [name, taken] of together) spent.set(name, taken);
      for (const one of this.#sessions.get(sessionId)?.borrowed.values() ?? [])
        spent.set(one.name, Math.max(0, (spent.get(one.name) ?? 0) - one.unspent));
      return spent;
    } catch (error) {
      const fault = asProxyError(error);
      if (fault.code !== 'store_unavailable') throw fault;
      return undefined;
    }
  }

  /** A session that ended has no budgets; what it borrowed goes back. */
  forget(sessionId: string): void {
    const session = this.#sessions.get(sessionId);
    this.#sessions.delete(sessionId);
    this.information.forget(sessionId);
    for (const budget of session?.borrowed.values() ?? []) {
      const releasing = budget.release().catch((error: unknown) => {
        this.#onFault(asProxyError(error));
      });
      this.#releasing.add(releasing);
      void releasing.finally(() => this.#releasing.delete(releasing));
    }
  }

  /** Gives back what was borrowed for all sessions. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const sessionId of this.#sessions.keys()) this.forget(sessionId);
    await Promise.all(this.#releasing);
  }

  #session(sessionId: string, nowMs: number): Session {
    const known = this.#sessions.get(sessionId);
    if (known !== undefined) return known;
    const session = {
      requests: new TokenBucket(this.#limits.requestsPerSecondMax, nowMs),
      streams: new TokenBucket(this.#limits.streamsPerSecondMax, nowMs),
      rates: new Map<string, TokenBucket>(),
      borrowed: new Map<string, BorrowedBudget>(),
      refusedStreams: 0,
      reportedMs: Number.NEGATIVE_INFINITY,
    };
    this.#sessions.set(sessionId, session);
    return session;
  }

  #takeRate(sessionId: string, rule: string, perSecond: number, nowMs: number): void {
    const { rates } = this.#session(sessionId, nowMs);
    let rate = rates.get(rule);
    if (rate === undefined) {
      if (rates.size >= defaultLimits.budgetRulesPerSessionMax) throw tooMany(rule);
      rate = new TokenBucket(perSecond, nowMs);
      rates.set(rule, rate);
    }
    const waitSeconds = rate.take(perSecond, nowMs);
    if (waitSeconds > 0) throw spent(rule, `${perSecond} requests a second (requestsPerSecond)`, waitSeconds);
  }

  /** Undefined where the rule does not say that limit. @throws ProxyError limit_exceeded */
  borrowed(
    sessionId: string,
    { rule, limits, budget = `rule ${rule.name}` }: Limited,
    limit: CountedLimit,
    nowMs: number,
  ): BorrowedBudget | undefined {
    const max = limits[limit];
    if (max === undefined) return undefined;
    const { borrowed } = this.#session(sessionId, nowMs);
    const name = budgetName(limit, budget);
    // Rules that share a budget may have different limits: what one of them borrowed is not for the other.
    const key = `${max} ${limits.whenStoreAway ?? ''} ${name}`;
    let found = borrowed.get(key);
    if (found === undefined) {
      const budgetsPerSessionMax = defaultLimits.budgetRulesPerSessionMax;
      if (borrowed.size >= budgetsPerSessionMax) throw tooMany(rule.name);
      found = new BorrowedBudget({
        store: this.#store,
        name: { sessionId, budget: name },
        max,
        blockMax:
          limit === 'requestsPerSession' || limit === 'urlsPerSession'
            ? defaultLimits.budgetBlockRequestsMax
            : defaultLimits.budgetBlockBytesMax,
        budgetsPerSessionMax,
        continuesAlone: limits.whenStoreAway === 'continue',
        clock: this.#clock,
      });
      borrowed.set(key, found);
    }
    return found;
  }
}

function payerOf(budget: BorrowedBudget, refusal: ProxyError): SpendBytes {
  return (bytes) => {
    const taken = budget.take(bytes);
    if (taken === true) return undefined;
    return taken.then((isPaid) => {
      if (!isPaid) throw refusal;
      return undefined;
    });
  };
}

function bytesSpent(rule: string, max: number | undefined): ProxyError {
  return spent(rule, `${max} bytes in a session (bytesPerSession)`);
}

function tooMany(rule: string): ProxyError {
  const { budgetRulesPerSessionMax } = defaultLimits;
  return new ProxyError(
    'limit_exceeded',
    `rule ${rule} has limits, and so had ${budgetRulesPerSessionMax} in this session (budgetRulesPerSessionMax)`,
    { limit: 'budgetRulesPerSessionMax' },
  );
}

function spent(rule: string, what: string, retryAfterSeconds?: number): ProxyError {
  const next = retryAfterSeconds === undefined ? '' : `; try again in ${retryAfterSeconds} s`;
  const options = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  return new ProxyError('limit_exceeded', `rule ${rule} allows ${what}${next}`, options);
}
