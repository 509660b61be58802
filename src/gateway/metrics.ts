// Counters and gauges of the gateway in the Prometheus text format, fed by the audit: what is not audited did not happen.

import type { AuditEvent } from '../api/audit-event.ts';
import { limitTable } from '../protocol/limits.ts';
import { defaultLimits, type LimitName } from '../protocol/limits.ts';
import type { ExchangeSink } from './audit/audit-log.ts';

/** Upper bounds of the durations, in seconds. */
const durationBounds = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 60] as const;

export interface Gauges {
  readonly tunnels: number;
  /** Of these, those without a connection. */
  readonly waitingTunnels: number;
  /** Memory of what was sent to agents and is not acknowledged. */
  readonly keptBytes: number;
  readonly liveGrants: number;
  readonly auditHealthy: boolean;
  readonly policyAgeSeconds: number;
  readonly policyStaleSeconds: number;
}

/** What a process has counted, as plain data: those of several processes add up. */
export interface Counts {
  /** By the labels of the series. */
  readonly events: ReadonlyMap<string, number>;
  readonly limitHits: ReadonlyMap<LimitName, number>;
  /** Attempts to go on with a tunnel, by their outcome. */
  readonly resumes: ReadonlyMap<string, number>;
  readonly durations: readonly number[];
  readonly durationCount: number;
  readonly durationSeconds: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** Undefined for what is left of a process that is gone, and for one that serves nobody. */
  readonly gauges: Gauges | undefined;
}

/** Counts what passes through the audit. No host, path or principal becomes a label. */
export class Metrics {
  readonly #events = new Map<string, number>();
  readonly #limitHits = new Map<LimitName, number>();
  readonly #resumes = new Map<string, number>();
  readonly #durations = durationBounds.map(() => 0);
  #durationCount = 0;
  #durationSeconds = 0;
  #requestBytes = 0;
  #responseBytes = 0;

  count(event: AuditEvent): void {
    const { kind, verdict, errorCode: code = '', action = '' } = event;
    // Words of ours, none of which has a quotation mark.
    const key = `kind="${kind}",verdict="${verdict}",code="${code}",action="${action}"`;
    const known = this.#events.get(key);
    if (known !== undefined || this.#events.size < defaultLimits.metricsSeriesMax)
      this.#events.set(key, (known ?? 0) + 1);
    if (isLimitName(event.limit)) this.countLimit(event.limit);
    this.#requestBytes += event.requestBytes ?? 0;
    this.#responseBytes += event.responseBytes ?? 0;
    if (event.kind !== 'exchange' || event.durationMs === undefined) return;
    const seconds = event.durationMs / 1000;
    this.#durationCount += 1;
    this.#durationSeconds += seconds;
    for (let i = durationBounds.length - 1; i >= 0 && seconds <= (durationBounds[i] ?? 0); i -= 1)
      this.#durations[i] = (this.#durations[i] ?? 0) + 1;
  }

  /** A limit that was reached. Those of audited events are counted with their event. */
  countLimit(limit: LimitName): void {
    this.#limitHits.set(limit, (this.#limitHits.get(limit) ?? 0) + 1);
  }

  /** The outcome is a word of ours. */
  countResume(outcome: string): void {
    this.#resumes.set(outcome, (this.#resumes.get(outcome) ?? 0) + 1);
  }

  counts(gauges?: Gauges): Counts {
    return {
      events: new Map(this.#events),
      limitHits: new Map(this.#limitHits),
      resumes: new Map(this.#resumes),
      durations: [...this.#durations],
      durationCount: this.#durationCount,
      durationSeconds: this.#durationSeconds,
      requestBytes: this.#requestBytes,
      responseBytes: this.#responseBytes,
      gauges,
    };
  }
}

/** The counters of several processes as those of one. */
export function addedCounts(all: readonly Counts[]): Counts & { readonly gauges: Gauges } {
  return {
    events: addedSeries(all.map(({ events }) => events)),
    limitHits: addedSeries(all.map(({ limitHits }) => limitHits)),
    resumes: addedSeries(all.map(({ resumes }) => resumes)),
    durations: durationBounds.map((_, i) => sumOf(all, ({ durations }) => durations[i] ?? 0)),
    durationCount: sumOf(all, (one) => one.durationCount),
    durationSeconds: sumOf(all, (one) => one.durationSeconds),
    requestBytes: sumOf(all, (one) => one.requestBytes),
    responseBytes: sumOf(all, (one) => one.responseBytes),
    gauges: addedGauges(all.flatMap(({ gauges }) => (gauges === undefined ? [] : [gauges]))),
  };
}

/** Numbers add up; of health and age the worst counts. */
function addedGauges(all: readonly Gauges[]): Gauges {
  return {
    tunnels: sumOf(all, ({ tunnels }) => tunnels),
    waitingTunnels: sumOf(all, ({ waitingTunnels }) => waitingTunnels),
    keptBytes: sumOf(all, ({ keptBytes }) => keptBytes),
    liveGrants: sumOf(all, ({ liveGrants }) => liveGrants),
    auditHealthy: all.length > 0 && all.every(({ auditHealthy }) => auditHealthy),
    policyAgeSeconds: Math.max(0, ...all.map((one) => one.policyAgeSeconds)),
    policyStaleSeconds: Math.max(0, ...all.map((one) => one.policyStaleSeconds)),
  };
}

function addedSeries<Key>(all: readonly ReadonlyMap<Key, number>[]): ReadonlyMap<Key, number> {
  const sums = new Map<Key, number>();
  for (const [key, value] of all.flatMap((one) => [...one])) sums.set(key, (sums.get(key) ?? 0) + value);
  return sums;
}

function sumOf<One>(all: readonly One[], value: (one: One) => number): number {
  return all.reduce((sum, one) => sum + value(one), 0);
}

export interface ProcessCounts {
  /** Of all processes of the gateway, those that are gone included. */
  readonly counts: readonly Counts[];
  /** Worker processes that were started again. */
  readonly restarts: number;
}

/** The exposition, as `text/plain; version=0.0.4`. */
export function metricsText({ counts, restarts }: ProcessCounts): string {
  const sum = addedCounts(counts);
  const { tunnels, liveGrants, auditHealthy, policyAgeSeconds, policyStaleSeconds } = sum.gauges;
  const { waitingTunnels, keptBytes } = sum.gauges;
  const resumes = new Map([...sum.resumes].map(([outcome, count]) => [labels({ outcome }), count]));
  const serving = counts.filter(({ gauges }) => gauges !== undefined).length;
  const limitHits = new Map([...sum.limitHits].map(([limit, count]) => [labels({ limit }), count]));
  const lines = [
    ...series('events_total', 'counter', 'Audit events by kind, verdict, error code and action.', sum.events),
    ...series(
      'limit_hits_total',
      'counter',
      'How often a limit of docs/reference/limits.md was reached.',
      limitHits,
    ),
    ...single('request_bytes_total', 'counter', 'Bytes of request bodies and streams.', sum.requestBytes),
    ...single('response_bytes_total', 'counter', 'Bytes of response bodies and streams.', sum.responseBytes),
    ...histogram(sum),
    ...single('tunnels', 'gauge', 'Tunnels that are open.', tunnels),
    ...single(
      'tunnels_waiting',
      'gauge',
      'Of these, those that wait for another connection.',
      waitingTunnels,
    ),
    ...single(
      'tunnel_kept_bytes',
      'gauge',
      'Memory of what was sent to agents and is not acknowledged.',
      keptBytes,
    ),
    ...series(
      'tunnel_resumes_total',
      'counter',
      'Attempts to go on with a tunnel: resumed, refused, or unknown here.',
      resumes,
    ),
    ...single(
      'live_grants',
      'gauge',
      'Exchanges, WebSockets, raw and passed-through streams that run.',
      liveGrants,
    ),
    ...single('audit_healthy', 'gauge', '1 while the audit can be written.', auditHealthy ? 1 : 0),
    ...single('policy_age_seconds', 'gauge', 'How long the policy has been in force.', policyAgeSeconds),
    ...single(
      'policy_stale_seconds',
      'gauge',
      'How long the policy files have held something that cannot be taken; 0 while what is in force is what is in them.',
      policyStaleSeconds,
    ),
    ...single('workers', 'gauge', 'Processes of the gateway that serve.', serving),
    ...single('worker_restarts_total', 'counter', 'Worker processes that were started again.', restarts),
  ];
  return `${lines.join('\n')}\n`;
}

function histogram({ durations, durationCount, durationSeconds }: Counts): string[] {
  const name = 'upstreamproxy_exchange_duration_seconds';
  return [
    `# HELP ${name} From the request's head to the end of the response.`,
    `# TYPE ${name} histogram`,
    ...durationBounds.map((bound, i) => `${name}_bucket{le="${bound}"} ${durations[i] ?? 0}`),
    `${name}_bucket{le="+Inf"} ${durationCount}`,
    `${name}_sum ${durationSeconds}`,
    `${name}_count ${durationCount}`,
  ];
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
