// How much of a rule's limits a session has used. Counts only: the clock and the sizes arrive with the calls.

import type { RuleLimits } from './decision.ts';

/** The limit that is used up, with its value, for the message. */
export interface SpentLimit {
  readonly limit: keyof RuleLimits;
  readonly value: number;
}

interface Usage {
  requests: number;
  bytes: number;
  /** Requests that may follow at once; refilled at the rule's rate, up to one second's worth. */
  allowance: number;
  refilledAtMs: number;
}

/** Usage by session and rule. One instance a gateway; what a session used goes when it ends. */
export class RuleBudgets {
  readonly #sessions = new Map<string, Map<string, Usage>>();

  /** Counts one request, or says which limit has no room for it; a refused request counts nothing. */
  takeRequest(sessionId: string, rule: string, limits: RuleLimits, nowMs: number): SpentLimit | undefined {
    const { requestsPerSecond, requestsPerSession, bytesPerSession } = limits;
    if (
      requestsPerSecond === undefined &&
      requestsPerSession === undefined &&
      bytesPerSession === undefined
    ) {
      return undefined;
    }
    const usage = this.#usage(sessionId, rule, nowMs);
    if (requestsPerSession !== undefined && usage.requests >= requestsPerSession) {
      return { limit: 'requestsPerSession', value: requestsPerSession };
    }
    if (bytesPerSession !== undefined && usage.bytes >= bytesPerSession) {
      return { limit: 'bytesPerSession', value: bytesPerSession };
    }
    if (requestsPerSecond !== undefined) {
      refill(usage, requestsPerSecond, nowMs);
      if (usage.allowance < 1) return { limit: 'requestsPerSecond', value: requestsPerSecond };
      usage.allowance -= 1;
    }
    usage.requests += 1;
    return undefined;
  }

  /** Counts bytes of either direction; says when they go beyond the limit, and the stream has to end. */
  takeBytes(sessionId: string, rule: string, limits: RuleLimits, bytes: number): SpentLimit | undefined {
    const { bytesPerSession } = limits;
    if (bytesPerSession === undefined) return undefined;
    const usage = this.#usage(sessionId, rule, 0);
    usage.bytes += bytes;
    return usage.bytes > bytesPerSession ? { limit: 'bytesPerSession', value: bytesPerSession } : undefined;
  }

  /** Forgets a session that ended. */
  forget(sessionId: string): void {
    this.#sessions.delete(sessionId);
  }

  #usage(sessionId: string, rule: string, nowMs: number): Usage {
    let rules = this.#sessions.get(sessionId);
    if (rules === undefined) this.#sessions.set(sessionId, (rules = new Map<string, Usage>()));
    let usage = rules.get(rule);
    if (usage === undefined) {
      usage = { requests: 0, bytes: 0, allowance: Number.POSITIVE_INFINITY, refilledAtMs: nowMs };
      rules.set(rule, usage);
    }
    return usage;
  }
}

function refill(usage: Usage, perSecond: number, nowMs: number): void {
  // A rate below one a second still lets single requests through.
  const burst = Math.max(1, perSecond);
  const elapsedMs = Math.max(0, nowMs - usage.refilledAtMs);
  usage.allowance = Math.min(burst, usage.allowance + (elapsedMs * perSecond) / 1000);
  usage.refilledAtMs = Math.max(usage.refilledAtMs, nowMs);
}
