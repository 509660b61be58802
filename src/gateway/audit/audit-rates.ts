// How much of the audit one session may fill. Above it, what it asks for is refused before any decision, and only these refusals share
// an event: one a second says how many there were. A flood costs its own session, and nobody's record. While the store is fuller than
// it should be, that holds for whoever lives on its burst.

import type { AuditEvent } from '../../api/audit-event.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { LimitName, Limits } from '../../protocol/limits.ts';
import { TokenBucket } from '../../protocol/token-bucket.ts';
import type { OpenExchange } from './open-exchanges.ts';

const sumIntervalMs = 1000;
/** A session whose buckets are full again is forgotten. */
const sweepIntervalMs = 60_000;
/** Of its burst a session may have used so many events while the reserve of the store is used up. */
const narrowEvents = 1000;

interface Rates {
  readonly events: TokenBucket;
  readonly bytes: TokenBucket;
}

/** Refusals that share an event, which the store knows of before it is whole: a kill loses no flood, and of its count at most half. */
class Sum implements OpenExchange {
  /** Of no session: it is none of the exchanges that a session may have open. */
  readonly sessionId = '';
  readonly #first: AuditEvent;
  #count = 0;
  #lastTraceId = '';

  constructor(first: AuditEvent) {
    this.#first = first;
  }

  /** Gives whether the store should hear of it: at 1, 2, 4 and so on. */
  add(traceId: string): boolean {
    this.#count += 1;
    this.#lastTraceId = traceId;
    return Number.isInteger(Math.log2(this.#count));
  }

  unfinished(): AuditEvent {
    return eventOf(this.#first, this.#count, this.#lastTraceId);
  }
}

export class AuditRates {
  readonly #limits: Limits;
  readonly #now: () => number;
  readonly #onSum: (event: AuditEvent, ended: OpenExchange) => void;
  readonly #onOpen: (one: OpenExchange) => void;
  #isNarrow = false;
  readonly #sessions = new Map<string, Rates>();
  readonly #sums = new Map<string, Sum>();
  #sweptMs: number;
  #timer: NodeJS.Timeout | undefined;

  /** `onSum` gets each event that several refusals share, `onOpen` hears of it before and while it grows. */
  constructor(
    limits: Limits,
    now: () => number,
    onSum: (event: AuditEvent, ended: OpenExchange) => void,
    onOpen: (one: OpenExchange) => void = () => undefined,
  ) {
    this.#limits = limits;
    this.#now = now;
    this.#onSum = onSum;
    this.#onOpen = onOpen;
    this.#sweptMs = now();
  }

  /** Sessions with something used. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Whether nobody may live on its burst from now on. Gives whether that is new. */
  narrow(isNarrow: boolean): boolean {
    const isNew = isNarrow !== this.#isNarrow;
    this.#isNarrow = isNarrow;
    return isNew;
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
    const kept = this.#keptBurst();
    const wait = events.secondsUntil(kept.events + open + 1, auditEventsPerSecondMax, nowMs);
    if (wait > 0) return overRateError('auditEventsPerSecondMax', `${auditEventsPerSecondMax} events`, wait);
    const bytesWanted = kept.bytes + auditEventBytesMax;
    const bytesWait = rates?.bytes.secondsUntil(bytesWanted, auditBytesPerSecondMax, nowMs) ?? 0;
    if (bytesWait > 0)
      return overRateError('auditBytesPerSecondMax', `${auditBytesPerSecondMax} bytes`, bytesWait);
    return undefined;
  }

  /** A refusal above the rate. */
  sum(event: AuditEvent): void {
    const key = event.sessionId ?? '';
    let sum = this.#sums.get(key);
    if (sum === undefined) this.#sums.set(key, (sum = new Sum(event)));
    if (sum.add(event.traceId)) this.#onOpen(sum);
    this.#timer ??= setTimeout(() => this.flush(), sumIntervalMs).unref();
  }

  /** Tells what was summed so far. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const sums = [...this.#sums.values()];
    this.#sums.clear();
    for (const sum of sums) this.#onSum(sum.unfinished(), sum);
  }

  /** What of a burst is not to be used now. */
  #keptBurst(): { readonly events: number; readonly bytes: number } {
    if (!this.#isNarrow) return { events: 0, bytes: 0 };
    const { auditEventsBurstMax, auditBytesBurstMax, auditEventBytesMax } = this.#limits;
    return {
      events: Math.max(0, auditEventsBurstMax - narrowEvents),
      bytes: Math.max(0, auditBytesBurstMax - narrowEvents * auditEventBytesMax),
    };
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
function eventOf(first: AuditEvent, count: number, lastTraceId: string): AuditEvent {
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
