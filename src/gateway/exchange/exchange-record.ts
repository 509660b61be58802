// What is known of an exchange so far, and the promise that exactly one audit event comes of it.

import type { AuditEvent } from '../../api/audit-event.ts';
import type { Principal } from '../../policy/decision.ts';
import type { ProxyError } from '../../protocol/error.ts';
import type { ExchangeSink } from '../audit/audit-log.ts';
import type { OriginConnection } from '../forward/forwarder.ts';
import type { RefusedPush } from '../git/refused-push.ts';
import type { OpenExchange } from '../audit/open-exchanges.ts';
import { newEventId, newTraceId } from '../audit/audit-log.ts';

type Facts = { -readonly [Name in keyof AuditEvent]?: AuditEvent[Name] };

/** Collects facts and appends one event when it is finished; later calls do nothing. */
export class ExchangeRecord implements OpenExchange {
  readonly traceId: string;
  readonly startedMs: number;
  readonly facts: Facts = {};
  /** Set where the denial is one that a request for access could change. */
  mayAskAccess = false;
  /** Set where the refs of a push were refused: git gets its own form of response. */
  refusedPush: RefusedPush | undefined;
  /** What the policy said, where it was asked. */
  decided: 'allow' | 'deny' | undefined;
  readonly #sink: ExchangeSink;
  readonly #kind: 'exchange' | 'stream';
  readonly #principal: Principal;
  #id: string | undefined;
  #aliases: OriginConnection['aliases'];
  #finished = false;

  constructor(sink: ExchangeSink, kind: 'exchange' | 'stream', principal: Principal, nowMs: number) {
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

  /** Which connection carries it. */
  noteConnection({ address, aliases }: OriginConnection): void {
    this.facts.address = address;
    this.#aliases = aliases;
    this.keep();
  }

  get sessionId(): string {
    return this.#principal.sessionId;
  }

  /** The audit is to have it even if this process ends first; called again when more is known. */
  keep(): void {
    this.#sink.keep(this);
  }

  finish(nowMs: number): void {
    if (this.#finished) return;
    this.#finished = true;
    const event = this.#event(this.facts.verdict ?? 'error');
    this.#sink.append({ ...event, durationMs: nowMs - this.startedMs }, this);
  }

  unfinished(): AuditEvent {
    const { decided } = this;
    const message = 'The gateway ended before this did; what is said here was known shortly after it began.';
    return { message, ...this.#event('unknown'), ...(decided === undefined ? {} : { decided }) };
  }

  #event(verdict: AuditEvent['verdict']): AuditEvent {
    const aliases = this.#aliases?.() ?? [];
    return {
      ...this.facts,
      ...(aliases.length === 0 ? {} : { aliases }),
      // The same in the marker and in the event.
      id: (this.#id ??= newEventId()),
      time: new Date(this.startedMs).toISOString(),
      kind: this.#kind,
      traceId: this.traceId,
      sessionId: this.sessionId,
      principal: this.#principal.id,
      verdict,
    };
  }
}
