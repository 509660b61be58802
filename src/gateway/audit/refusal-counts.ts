// What each session was refused, as its agent is told at the end of `run`: equal ones are counted, and a session has a bounded number of
// others. It is what this process saw; the audit has all of it.

import { Buffer } from 'node:buffer';
import type { Duplex } from 'node:stream';

import type { AuditEvent } from '../../api/audit-event.ts';
import { refusalOf } from '../../api/refusal-of-event.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { refusalKey, type SessionRefusal, type SessionRefusals } from '../../protocol/session-refusals.ts';
import type { ExchangeSink } from './audit-log.ts';

interface Counted {
  readonly refusal: SessionRefusal;
  count: number;
}

interface SessionCounts {
  readonly rows: Map<string, Counted>;
  others: number;
}

export class RefusalCounts {
  readonly #sessions = new Map<string, SessionCounts>();
  /** What waits for a reader is there once for each session. */
  readonly #telling = new Set<string>();

  /** Sessions with something counted. */
  get size(): number {
    return this.#sessions.size;
  }

  /** The same, for a stream that it is written to; undefined while another one of the session has not ended. */
  tell(sessionId: string, stream: Pick<Duplex, 'once'>): SessionRefusals | undefined {
    if (this.#telling.has(sessionId)) return undefined;
    this.#telling.add(sessionId);
    stream.once('close', () => this.#telling.delete(sessionId));
    return this.of(sessionId);
  }

  /** Of one session so far. */
  of(sessionId: string): SessionRefusals {
    const { rows, others } = this.#sessions.get(sessionId) ?? { rows: new Map<string, Counted>(), others: 0 };
    const refusals = [...rows.values()].map(({ refusal, count }) => Object.assign({}, refusal, { count }));
    return { refusals, others };
  }

  /** The same sink, which counts what was refused on the way. */
  counting(sink: ExchangeSink): ExchangeSink {
    return {
      append: (event, ended) => {
        this.#note(event);
        sink.append(event, ended);
      },
      sum: (event) => {
        this.#note(event);
        sink.sum(event);
      },
      keep: (one) => sink.keep(one),
      openOf: (sessionId) => sink.openOf(sessionId),
      overRate: (sessionId) => sink.overRate(sessionId),
      room: (sessionId) => sink.room?.(sessionId),
      get healthy() {
        return sink.healthy;
      },
    };
  }

  /** A session that ended asks no more. */
  forget(sessionId: string): void {
    this.#sessions.delete(sessionId);
  }

  #note(event: AuditEvent): void {
    const { sessionId } = event;
    const refusal = refusalOf(event);
    if (sessionId === undefined || refusal === undefined) return;
    const { rows, others } = this.#session(sessionId);
    const key = refusalKey(refusal);
    const known = rows.get(key);
    if (known !== undefined) known.count += refusal.count;
    else if (rows.size < defaultLimits.refusalsPerSessionMax)
      rows.set(key, { refusal: ownCopy(refusal), count: refusal.count });
    else this.#session(sessionId).others = others + refusal.count;
  }

  #session(sessionId: string): SessionCounts {
    let session = this.#sessions.get(sessionId);
    if (session !== undefined) return session;
    // Exchanges of a session that has ended can still end: without a bound what they leave would stay for ever.
    const [oldest] = this.#sessions.keys();
    if (oldest !== undefined && this.#sessions.size >= defaultLimits.refusalSessionsMax)
      this.#sessions.delete(oldest);
    session = { rows: new Map(), others: 0 };
    this.#sessions.set(sessionId, session);
    return session;
  }
}

/** Without the texts that its parts are cut from: a piece of a string keeps the whole. */
function ownCopy(refusal: SessionRefusal): SessionRefusal {
  const copied = Object.entries(refusal).map(([name, value]) => [
    name,
    typeof value === 'string' ? Buffer.from(value).toString() : value,
  ]);
  // The same names with the same values.
  return Object.fromEntries(copied) as SessionRefusal;
}
