// The audit of a request path as a list.

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import type { ExchangeSink } from '../../../src/gateway/audit/audit-log.ts';
import { assertValidEvent } from '../../support/valid-event.ts';
import type { ProxyError } from '../../../src/protocol/error.ts';
import { OpenExchanges, type OpenExchange } from '../../../src/gateway/audit/open-exchanges.ts';

export class RecordingSink implements ExchangeSink {
  readonly events: AuditEvent[] = [];
  healthy = true;
  /** Everything that was kept, ended or not. */
  readonly kept = new Set<OpenExchange>();
  readonly #open = new OpenExchanges(0);
  readonly #onEvent: () => void;

  constructor(onEvent: () => void = () => undefined) {
    this.#onEvent = onEvent;
  }

  append(event: AuditEvent, ended?: OpenExchange): void {
    if (ended !== undefined) this.#open.leave(ended);
    assertValidEvent(event);
    // As it is stored: what is changed later is not in it.
    this.events.push(JSON.parse(JSON.stringify(event)));
    this.#onEvent();
  }

  keep(one: OpenExchange): void {
    assertValidEvent(one.unfinished());
    this.kept.add(one);
    this.#open.keep(one, 0);
  }

  /** What `overRate` says; set by a test. */
  over: (sessionId: string) => ProxyError | undefined = () => undefined;
  readonly summed: AuditEvent[] = [];

  overRate(sessionId: string): ProxyError | undefined {
    return this.over(sessionId);
  }

  sum(event: AuditEvent): void {
    assertValidEvent(event);
    this.summed.push(event);
  }

  openOf(sessionId: string): number {
    return this.#open.of(sessionId);
  }

  /** How many have not ended, of all sessions. */
  get openTotal(): number {
    const sessions = new Set([...this.kept].map(({ sessionId }) => sessionId));
    return [...sessions].reduce((total, sessionId) => total + this.openOf(sessionId), 0);
  }
}
