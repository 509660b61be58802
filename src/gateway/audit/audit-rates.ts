// How much of the audit one session may fill. Above it, what it asks for is refused before any decision, and only these refusals share
// an event: one a second says how many there were. A flood costs its own session, and nobody's record.

import type { AuditEvent } from '../../api/audit-event.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { LimitName, Limits } from '../../protocol/limits.ts';
import { TokenBucket } from '../../protocol/token-bucket.ts';

const sumIntervalMs = 1000;
/** A session whose buckets are full again is forgotten. */
const sweepIntervalMs = 60_000;

interface Rates {
  readonly events: TokenBucket;
  readonly bytes: TokenBucket;
}

interface Sum {
  readonly first: AuditEvent;
  count: number;
  lastTraceId: string;
}

export class AuditRates {
  readonly #limits: Limits;
  readonly #now: () => number;
  readonly #onSum: (event: AuditEvent) => void;
  readonly #sessions = new Map<string, Rates>();
  readonly #sums = new Map<string, Sum>();
  #sweptMs: number;
  #timer: NodeJS.Timeout | undefined;

  /** `onSum` gets each event that several refusals share. */
  constructor(limits: Limits, now: () => number, onSum: (event: AuditEvent) => void) {
    this.#limits = limits;
    this.#now = now;
    this.#onSum = onSum;
    this.#sweptMs = now();
  }

  /** Sessions with something used. */
  get size(): number {
    return this.#sessions.size;
  }

  /** An event of the session is stored. */
  charge(sessionId: string, bytes: number): void {
    const nowMs = this.#now();
    this.#sweep(nowMs);
    const { auditEventsPerSecondMax, auditBytesPerSecondMax } = this.#limits;
    let rates = this.#sessions.get(sessionId);
    if (rates === undefined) this.#sessions.set(sessionId, (rates = this.#full(nowMs)));
    rates.events.charge(1, auditEventsPerSecondMax, nowMs);
    rates.bytes.charge(bytes, auditBytesPerSecondMax, nowMs);
  }

  /** Why the session may ask for nothing now, while `open` of its exchanges will leave an event each. */
  overRate(sessionId: string, open: number): ProxyError | undefined {
    const rates = this.#sessions.get(sessionId);
    const { auditEventsPerSecondMax, auditBytesPerSecondMax, auditEventBytesMax } = this.#limits;
    const nowMs = this.#now();
    const events = rates?.events ?? this.#full(nowMs).events;
    const wait = events.secondsUntil(open + 1, auditEventsPerSecondMax, nowMs);
    if (wait > 0) return overRateError('auditEventsPerSecondMax', `${auditEventsPerSecondMax} events`, wait);
    const bytesWait = rates?.bytes.secondsUntil(auditEventBytesMax, auditBytesPerSecondMax, nowMs) ?? 0;
    if (bytesWait > 0)
      return overRateError('auditBytesPerSecondMax', `${auditBytesPerSecondMax} bytes`, bytesWait);
    return undefined;
  }

  /** A refusal above the rate. */
  sum(event: AuditEvent): void {
    const key = event.sessionId ?? '';
    const sum = this.#sums.get(key);
    if (sum === undefined) this.#sums.set(key, { first: event, count: 1, lastTraceId: event.traceId });
    else {
      sum.count += 1;
      sum.lastTraceId = event.traceId;
    }
    this.#timer ??= setTimeout(() => this.flush(), sumIntervalMs).unref();
  }

  /** Tells what was summed so far. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const sums = [...this.#sums.values()];
    this.#sums.clear();
    for (const sum of sums) this.#onSum(eventOf(sum));
  }

  #full(nowMs: number): Rates {
    const limits = this.#limits;
    return {
      events: new TokenBucket(limits.auditEventsPerSecondMax, nowMs, limits.auditEventsBurstMax),
      bytes: new TokenBucket(limits.auditBytesPerSecondMax, nowMs, limits.auditBytesBurstMax),
    };
  }

  #sweep(nowMs: number): void {
    if (nowMs - this.#sweptMs < sweepIntervalMs) return;
    this.#sweptMs = nowMs;
    const limits = this.#limits;
    for (const [sessionId, { events, bytes }] of this.#sessions) {
      const isFull =
        events.secondsUntil(limits.auditEventsBurstMax, limits.auditEventsPerSecondMax, nowMs) === 0 &&
        bytes.secondsUntil(limits.auditBytesBurstMax, limits.auditBytesPerSecondMax, nowMs) === 0;
      if (isFull) this.#sessions.delete(sessionId);
    }
  }
}

function overRateError(limit: LimitName, what: string, retryAfterSeconds: number): ProxyError {
  return new ProxyError(
    'limit_exceeded',
    `the session may leave ${what} a second in the audit (${limit}); try again in ${retryAfterSeconds} s`,
    { limit, retryAfterSeconds },
  );
}

/** What the refusals have in common, and nothing that was asked for. */
function eventOf({ first, count, lastTraceId }: Sum): AuditEvent {
  const { v, id, time, kind, traceId, sessionId, principal, errorCode, limit, message } = first;
  return {
    v,
    id,
    time,
    kind,
    traceId,
    lastTraceId,
    count,
    sessionId,
    principal,
    verdict: 'deny',
    errorCode,
    limit,
    message,
  };
}
