// What one session may still use of a rule: requests a second, requests in all, bytes in all. Never shared.

import type { RuleLimits } from '../policy/decision.ts';
import { ProxyError } from '../protocol/error.ts';

/** Rules with limits that one session can have running; a policy has far fewer. */
const rulesPerSessionMax = 1_000;

interface Budget {
  /** Requests that may start now; refilled with time up to one second's worth. */
  tokens: number;
  refilledMs: number;
  requests: number;
  bytes: number;
}

/** Spends bytes of an admitted request as they pass. @throws ProxyError limit_exceeded */
export type SpendBytes = (bytes: number) => void;

const unlimited: SpendBytes = () => undefined;

export class SessionBudgets {
  readonly #sessions = new Map<string, Map<string, Budget>>();

  /** Sessions with something counted. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Counts a request against the limits of its rule. @throws ProxyError limit_exceeded, with when to try again */
  admit(sessionId: string, rule: string, limits: RuleLimits, nowMs: number): SpendBytes {
    const { requestsPerSecond, requestsPerSession, bytesPerSession } = limits;
    if (requestsPerSecond === undefined && requestsPerSession === undefined && bytesPerSession === undefined)
      return unlimited;
    const budget = this.#budget(sessionId, rule, nowMs, requestsPerSecond);
    if (requestsPerSession !== undefined && budget.requests >= requestsPerSession) {
      throw spent(rule, `${requestsPerSession} requests in a session (requestsPerSession)`);
    }
    if (bytesPerSession !== undefined && budget.bytes >= bytesPerSession)
      throw bytesSpent(rule, bytesPerSession);
    if (requestsPerSecond !== undefined) takeToken(budget, rule, requestsPerSecond, nowMs);
    budget.requests += 1;
    if (bytesPerSession === undefined) return unlimited;
    return (bytes) => {
      budget.bytes += bytes;
      if (budget.bytes > bytesPerSession) throw bytesSpent(rule, bytesPerSession);
    };
  }

  /** A session that ended has no budgets. */
  forget(sessionId: string): void {
    this.#sessions.delete(sessionId);
  }

  #budget(sessionId: string, rule: string, nowMs: number, requestsPerSecond: number | undefined): Budget {
    let rules = this.#sessions.get(sessionId);
    if (rules === undefined) {
      rules = new Map();
      this.#sessions.set(sessionId, rules);
    }
    let budget = rules.get(rule);
    if (budget === undefined) {
      if (rules.size >= rulesPerSessionMax)
        throw spent(rule, `${rulesPerSessionMax} rules with limits in a session`);
      budget = { tokens: burst(requestsPerSecond ?? 1), refilledMs: nowMs, requests: 0, bytes: 0 };
      rules.set(rule, budget);
    }
    return budget;
  }
}

function burst(requestsPerSecond: number): number {
  return Math.max(1, requestsPerSecond);
}

function takeToken(budget: Budget, rule: string, requestsPerSecond: number, nowMs: number): void {
  const elapsedMs = Math.max(0, nowMs - budget.refilledMs);
  budget.tokens = Math.min(burst(requestsPerSecond), budget.tokens + (elapsedMs * requestsPerSecond) / 1000);
  budget.refilledMs = nowMs;
  if (budget.tokens < 1) {
    const retryAfterSeconds = Math.max(1, Math.ceil((1 - budget.tokens) / requestsPerSecond));
    throw spent(rule, `${requestsPerSecond} requests a second (requestsPerSecond)`, retryAfterSeconds);
  }
  budget.tokens -= 1;
}

function bytesSpent(rule: string, max: number): ProxyError {
  return spent(rule, `${max} bytes in a session (bytesPerSession)`);
}

function spent(rule: string, what: string, retryAfterSeconds?: number): ProxyError {
  const next = retryAfterSeconds === undefined ? '' : `; try again in ${retryAfterSeconds} s`;
  const options = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  return new ProxyError('limit_exceeded', `rule ${rule} allows ${what}${next}`, options);
}
