// W3C Trace Context: which exchanges go on with the trace of their client, and what the origin gets in place of the client's `traceparent`.

import type { AuditEvent } from '../../api/audit-event.ts';
import { spanIdOf } from './trace-sampling.ts';

export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  readonly isSampled: boolean;
}

/** Of version 00, which alone has a form that is known; undefined for everything else, and for zeros (§3.2.2). */
export function readTraceparent(text: string): TraceContext | undefined {
  const found = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(text);
  const [, traceId = '', spanId = '', flags = ''] = found ?? [];
  if (found === null || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** The number of the span in which the origin is asked. */
export const forwardSpan = 5;

/** What the origin gets: the same trace, with the span that asks it as the parent. */
export function forwardedTraceparent({ traceId }: TraceContext, exchangeTraceId: string): string {
  return `00-${traceId}-${spanIdOf(exchangeTraceId, forwardSpan)}-01`;
}

/** In which trace an exchange is: the client's, where a rule went on with it, or its own. */
export function traceOf({ traceId, traceparent }: Pick<AuditEvent, 'traceId' | 'traceparent'>): {
  readonly traceId: string;
  readonly parentSpanId?: string;
} {
  const client = traceparent === undefined ? undefined : readTraceparent(traceparent);
  return client === undefined ? { traceId } : { traceId: client.traceId, parentSpanId: client.spanId };
}

/**
 * How many traces of clients are gone on with: a client says itself that its trace is sampled, so a bound keeps one from filling the queue
 * of all. Beyond it the request goes as it came, and its own trace is sampled as any other.
 */
export class ContinuedTraces {
  readonly #perSecondMax: number;
  #second = 0;
  #count = 0;

  constructor(perSecondMax: number) {
    this.#perSecondMax = perSecondMax;
  }

  /** The client's trace, if it is one to go on with. */
  take(fields: readonly string[], nowMs: number): TraceContext | undefined {
    const [only = ''] = fields;
    const context = fields.length === 1 ? readTraceparent(only) : undefined;
    if (context?.isSampled !== true) return undefined;
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#second) [this.#second, this.#count] = [second, 0];
    if (this.#count >= this.#perSecondMax) return undefined;
    this.#count += 1;
    return context;
  }
}
