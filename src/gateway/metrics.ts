// Counters and gauges of the gateway in the Prometheus text format, fed by the audit: what is not audited did not happen.

import type { AuditEvent } from '../api/audit-event.ts';
import { limitTable } from '../protocol/limits.ts';
import { defaultLimits, type LimitName } from '../protocol/limits.ts';
import type { ExchangeSink } from './audit/audit-log.ts';

/** Upper bounds of the durations, in seconds. */
const durationBounds = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 60] as const;

export interface Gauges {
  readonly tunnels: () => number;
  readonly liveGrants: () => number;
  readonly auditHealthy: () => boolean;
  readonly policyAgeSeconds: () => number;
  readonly policyStaleSeconds: () => number;
}

/** Counts what passes through the audit. No host, path or principal becomes a label. */
export class Metrics {
  readonly #events = new Map<string, number>();
  readonly #limitHits = new Map<LimitName, number>();
  readonly #durations = durationBounds.map(() => 0);
  #durationCount = 0;
  #durationSeconds = 0;
  #requestBytes = 0;
  #responseBytes = 0;

  count(event: AuditEvent): void {
    const key = labels({
      kind: event.kind,
      verdict: event.verdict,
      code: event.errorCode ?? '',
      action: event.action ?? '',
    });
    if (this.#events.has(key) || this.#events.size < defaultLimits.metricsSeriesMax)
      this.#events.set(key, (this.#events.get(key) ?? 0) + 1);
    if (isLimitName(event.limit)) this.countLimit(event.limit);
    this.#requestBytes += event.requestBytes ?? 0;
    this.#responseBytes += event.responseBytes ?? 0;
    if (event.kind !== 'exchange' || event.durationMs === undefined) return;
    const seconds = event.durationMs / 1000;
    this.#durationCount += 1;
    this.#durationSeconds += seconds;
    for (const [i, bound] of durationBounds.entries()) {
      if (seconds <= bound) this.#durations[i] = (this.#durations[i] ?? 0) + 1;
    }
  }

  /** A limit that was reached. Those of audited events are counted with their event. */
  countLimit(limit: LimitName): void {
    this.#limitHits.set(limit, (this.#limitHits.get(limit) ?? 0) + 1);
  }

  /** How often it was reached since the start. */
  limitReached(limit: LimitName): number {
    return this.#limitHits.get(limit) ?? 0;
  }

  /** The exposition, as `text/plain; version=0.0.4`. */
  text(gauges: Gauges): string {
    const lines = [
      ...series(
        'events_total',
        'counter',
        'Audit events by kind, verdict, error code and action.',
        this.#events,
      ),
      ...series(
        'limit_hits_total',
        'counter',
        'How often a limit of docs/reference/limits.md was reached.',
        new Map([...this.#limitHits].map(([limit, count]) => [labels({ limit }), count])),
      ),
      ...single('request_bytes_total', 'counter', 'Bytes of request bodies and streams.', this.#requestBytes),
      ...single(
        'response_bytes_total',
        'counter',
        'Bytes of response bodies and streams.',
        this.#responseBytes,
      ),
      ...this.#histogram(),
      ...single('tunnels', 'gauge', 'Tunnels that are open.', gauges.tunnels()),
      ...single(
        'live_grants',
        'gauge',
        'Exchanges, WebSockets, raw and passed-through streams that run.',
        gauges.liveGrants(),
      ),
      ...single('audit_healthy', 'gauge', '1 while the audit can be written.', gauges.auditHealthy() ? 1 : 0),
      ...single(
        'policy_age_seconds',
        'gauge',
        'How long the policy has been in force.',
        gauges.policyAgeSeconds(),
      ),
      ...single(
        'policy_stale_seconds',
        'gauge',
        'How long the policy files have held something that cannot be taken; 0 while what is in force is what is in them.',
        gauges.policyStaleSeconds(),
      ),
    ];
    return `${lines.join('\n')}\n`;
  }

  #histogram(): string[] {
    const name = 'upstreamproxy_exchange_duration_seconds';
    return [
      `# HELP ${name} From the request's head to the end of the response.`,
      `# TYPE ${name} histogram`,
      ...durationBounds.map((bound, i) => `${name}_bucket{le="${bound}"} ${this.#durations[i] ?? 0}`),
      `${name}_bucket{le="+Inf"} ${this.#durationCount}`,
      `${name}_sum ${this.#durationSeconds}`,
      `${name}_count ${this.#durationCount}`,
    ];
  }
}

/** A sink that counts what it hands on. */
export function countingSink(sink: ExchangeSink, metrics: Metrics): ExchangeSink {
  return {
    append: (event, ended) => {
      metrics.count(event);
      sink.append(event, ended);
    },
    keep: (one) => sink.keep(one),
    openOf: (sessionId) => sink.openOf(sessionId),
    overRate: (sessionId) => sink.overRate(sessionId),
    sum: (event) => {
      metrics.count(event);
      sink.sum(event);
    },
    get healthy() {
      return sink.healthy;
    },
  };
}

function isLimitName(name: string | undefined): name is LimitName {
  return name !== undefined && Object.hasOwn(limitTable, name);
}

function labels(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}="${value}"`)
    .join(',');
}

function series(name: string, type: string, help: string, values: ReadonlyMap<string, number>): string[] {
  const full = `upstreamproxy_${name}`;
  return [
    `# HELP ${full} ${help}`,
    `# TYPE ${full} ${type}`,
    ...[...values].map(([key, value]) => `${full}{${key}} ${value}`),
  ];
}

function single(name: string, type: string, help: string, value: number): string[] {
  const full = `upstreamproxy_${name}`;
  return [`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, `${full} ${value}`];
}
