// What one session may still do: requests and streams a second at the gateway, and what the limits of each rule leave.
// Never shared between sessions.

import type { RuleLimits } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { Limits } from '../../protocol/limits.ts';
import { TokenBucket } from '../../protocol/token-bucket.ts';

/** Streams that are refused for their rate are told in the audit this often: an event for each would be a flood too. */
const reportIntervalMs = 1_000;

interface Budget {
  readonly rate: TokenBucket;
  requests: number;
  bytes: number;
}

interface Session {
  readonly requests: TokenBucket;
  readonly streams: TokenBucket;
  readonly rules: Map<string, Budget>;
  refusedStreams: number;
  reportedMs: number;
}

/** Spends bytes of an admitted request as they pass. @throws ProxyError limit_exceeded */
export type SpendBytes = (bytes: number) => void;

const unlimited: SpendBytes = () => undefined;

export class SessionBudgets {
  readonly #limits: Limits;
  readonly #sessions = new Map<string, Session>();

  constructor(limits: Limits = defaultLimits) {
    this.#limits = limits;
  }

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

  /** Counts a request against the limits of its rule. @throws ProxyError limit_exceeded, with when to try again */
  admit(sessionId: string, rule: string, limits: RuleLimits, nowMs: number): SpendBytes {
    const { requestsPerSecond, requestsPerSession, bytesPerSession } = limits;
    if (requestsPerSecond === undefined && requestsPerSession === undefined && bytesPerSession === undefined)
      return unlimited;
    const budget = this.#budget(sessionId, rule, nowMs, requestsPerSecond ?? 1);
    if (requestsPerSession !== undefined && budget.requests >= requestsPerSession) {
      throw spent(rule, `${requestsPerSession} requests in a session (requestsPerSession)`);
    }
    if (bytesPerSession !== undefined && budget.bytes >= bytesPerSession)
      throw bytesSpent(rule, bytesPerSession);
    if (requestsPerSecond !== undefined) {
      const waitSeconds = budget.rate.take(requestsPerSecond, nowMs);
      if (waitSeconds > 0)
        throw spent(rule, `${requestsPerSecond} requests a second (requestsPerSecond)`, waitSeconds);
    }
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

  #session(sessionId: string, nowMs: number): Session {
    const known = this.#sessions.get(sessionId);
    if (known !== undefined) return known;
    const session = {
      requests: new TokenBucket(this.#limits.requestsPerSecondMax, nowMs),
      streams: new TokenBucket(this.#limits.streamsPerSecondMax, nowMs),
      rules: new Map<string, Budget>(),
      refusedStreams: 0,
      reportedMs: Number.NEGATIVE_INFINITY,
    };
    this.#sessions.set(sessionId, session);
    return session;
  }

  #budget(sessionId: string, rule: string, nowMs: number, requestsPerSecond: number): Budget {
    const { rules } = this.#session(sessionId, nowMs);
    let budget = rules.get(rule);
    if (budget === undefined) {
      if (rules.size >= defaultLimits.budgetRulesPerSessionMax)
        throw spent(rule, `${defaultLimits.budgetRulesPerSessionMax} rules with limits in a session`);
      budget = { rate: new TokenBucket(requestsPerSecond, nowMs), requests: 0, bytes: 0 };
      rules.set(rule, budget);
    }
    return budget;
  }
}

function bytesSpent(rule: string, max: number): ProxyError {
  return spent(rule, `${max} bytes in a session (bytesPerSession)`);
}

function spent(rule: string, what: string, retryAfterSeconds?: number): ProxyError {
  const next = retryAfterSeconds === undefined ? '' : `; try again in ${retryAfterSeconds} s`;
  const options = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  return new ProxyError('limit_exceeded', `rule ${rule} allows ${what}${next}`, options);
}
