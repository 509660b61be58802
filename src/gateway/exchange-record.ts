// What is known of an exchange so far, and the promise that exactly one audit event comes of it.

import type { AuditEvent } from '../api/audit-event.ts';
import type { Principal } from '../policy/decision.ts';
import type { ProxyError } from '../protocol/error.ts';
import type { AuditSink } from './audit-log.ts';
import type { RefusedPush } from './git/refuse-push.ts';
import { newEventId, newTraceId } from './audit-log.ts';

type Facts = { -readonly [Name in keyof AuditEvent]?: AuditEvent[Name] };

/** Collects facts and appends one event when it is finished; later calls do nothing. */
export class ExchangeRecord {
  readonly traceId: string;
  readonly startedMs: number;
  readonly facts: Facts = {};
  /** Set where the denial is one that a request for access could change. */
  mayAskAccess = false;
  /** Set where the refs of a push were refused: git gets its own form of answer. */
  refusedPush: RefusedPush | undefined;
  readonly #sink: AuditSink;
  readonly #kind: 'exchange' | 'stream';
  readonly #principal: Principal;
  #finished = false;

  constructor(sink: AuditSink, kind: 'exchange' | 'stream', principal: Principal, nowMs: number) {
    this.#sink = sink;
    this.#kind = kind;
    this.#principal = principal;
    this.startedMs = nowMs;
    this.traceId = newTraceId();
  }

  /** Why it did not go as asked. */
  noteFault({ code, limit, message, claimed }: ProxyError): void {
    this.facts.errorCode = code;
    if (limit !== undefined) this.facts.limit = limit;
    this.facts.message ??= message;
    if (claimed !== undefined) this.facts.claimed = claimed;
  }

  finish(nowMs: number): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#sink.append({
      ...this.facts,
      id: newEventId(),
      time: new Date(this.startedMs).toISOString(),
      kind: this.#kind,
      traceId: this.traceId,
      sessionId: this.#principal.sessionId,
      principal: this.#principal.id,
      verdict: this.facts.verdict ?? 'error',
      durationMs: nowMs - this.startedMs,
    });
  }
}
