// Counters, gauges and latencies of the gateway, fed by the audit: what is not audited did not happen.

import type { AuditEvent } from '../api/audit-event.ts';
import type { DeciderFacts } from '../api/audit-facts.ts';
import { limitTable } from '../protocol/limits.ts';
import { defaultLimits, type LimitName } from '../protocol/limits.ts';
import type { ExchangeSink } from './audit/audit-log.ts';
import { parseIsoTime } from './audit/event-identity.ts';
import { addedHistograms, LatencyHistogram } from './latency-histogram.ts';
import type { HistogramCounts } from './telemetry/metric-family.ts';
import { traceOf } from './telemetry/trace-context.ts';

const requestBounds = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 60] as const;

/** Upper bounds in seconds, by what is measured. */
export const latencyBounds = {
  duration: requestBounds,
  firstByte: requestBounds,
  /** A decision takes some 20 µs; one that awaits the commands of a push takes as long as these. */
  decide: [0.0001, 0.0005, 0.0025, 0.01, 0.05, 0.25, 1],
  /** From a policy engine beside the gateway to a model that reads a page. */
  decider: [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60],
} as const;
export type Latency = keyof typeof latencyBounds;

export type LatencyCounts = Readonly<Record<Latency, HistogramCounts>>;

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
  readonly advisoriesStaleSeconds: number;
  readonly storeAwaySeconds: number;
  readonly spoolBytes: number;
  readonly cacheBytes: number;
  readonly sessionLeases: number;
  readonly sessionLeasesNotGivenBack: number;
}

/** What a process has counted, as plain data: those of several processes add up. */
export interface Counts {
  /** By the labels of the series. */
  readonly events: ReadonlyMap<string, number>;
  readonly limitHits: ReadonlyMap<LimitName, number>;
  /** Attempts to go on with a tunnel, by their outcome. */
  readonly resumes: ReadonlyMap<string, number>;
  /** Events that receivers of telemetry took, and those that were dropped, by the labels of the series. */
  readonly telemetry: ReadonlyMap<string, number>;
  /** What calls of models took, by the labels of the series: tokens, and billionths of one US dollar. */
  readonly modelTokens: ReadonlyMap<string, number>;
  readonly modelCosts: ReadonlyMap<string, number>;
  /** What deciders were asked, by the labels of the series. */
  readonly deciders: ReadonlyMap<string, number>;
  /** What became of archives that the cache may keep, and of the cache. */
  readonly cache: ReadonlyMap<string, number>;
  readonly latencies: LatencyCounts;
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** Undefined for what is left of a process that is gone, and for one that serves nobody. */
  readonly gauges: Gauges | undefined;
}

/** How many events have these labels. */
interface EventCount {
  readonly kind: string;
  readonly verdict: string;
  readonly code: string;
  readonly action: string;
  count: number;
}

/** Counts what passes through the audit. No host, path or principal becomes a label. */
export class Metrics {
  readonly #events = new Map<string, EventCount>();
  #lastCount: EventCount | undefined;
  readonly #limitHits = new Map<LimitName, number>();
  readonly #resumes = new Map<string, number>();
  readonly #telemetry = new Map<string, number>();
  readonly #modelTokens = new Map<string, number>();
  readonly #modelCosts = new Map<string, number>();
  readonly #deciders = new Map<string, number>();
  readonly #cache = new Map<string, number>();
  readonly #latencies = byLatency((name) => new LatencyHistogram(latencyBounds[name]));
  #requestBytes = 0;
  #responseBytes = 0;
  readonly #hasTrace: (traceId: string) => boolean;

  /** @param hasTrace Whether an exchange can be an exemplar: where traces are sent, one that has one. */
  constructor(hasTrace: (traceId: string) => boolean = () => true) {
    this.#hasTrace = hasTrace;
  }

  count(event: AuditEvent): void {
    const ofEvent = this.#countOf(event);
    if (ofEvent !== undefined) ofEvent.count += 1;
    if (isLimitName(event.limit)) this.countLimit(event.limit);
    if (event.llm !== undefined) this.#countModel(event.llm);
    for (const one of event.deciders ?? []) this.#countDecider(one, event);
    this.#requestBytes += event.requestBytes ?? 0;
    this.#responseBytes += event.responseBytes ?? 0;
    if (event.kind === 'exchange' && event.durationMs !== undefined) this.#record(event, event.durationMs);
  }

  /** Undefined where there are too many series. The one before is the one again, as a rule. */
  #countOf({ kind, verdict, errorCode: code = '', action = '' }: AuditEvent): EventCount | undefined {
    const last = this.#lastCount;
    const isLast =
      last?.kind === kind && last.verdict === verdict && last.code === code && last.action === action;
    if (isLast) return last;
    // Words of ours, none of which has a quotation mark.
    const key = `kind="${kind}",verdict="${verdict}",code="${code}",action="${action}"`;
    let known = this.#events.get(key);
    if (known === undefined && this.#events.size < defaultLimits.metricsSeriesMax)
      this.#events.set(key, (known = { kind, verdict, code, action, count: 0 }));
    if (known !== undefined) this.#lastCount = known;
    return known;
  }

  /** The APIs are words of ours. */
  #countModel({ api, nanoUsd = 0, ...said }: NonNullable<AuditEvent['llm']>): void {
    const add = (series: Map<string, number>, key: string, value: number): void => {
      if (value > 0) series.set(key, (series.get(key) ?? 0) + value);
    };
    add(this.#modelTokens, `api="${api}",kind="input"`, said.inputTokens ?? 0);
    add(this.#modelTokens, `api="${api}",kind="cached"`, said.cachedTokens ?? 0);
    add(this.#modelTokens, `api="${api}",kind="cache_written"`, said.cacheWrittenTokens ?? 0);
    add(this.#modelTokens, `api="${api}",kind="output"`, said.outputTokens ?? 0);
    add(this.#modelCosts, `api="${api}"`, nanoUsd);
  }

  #countDecider({ name, of, outcome, isCached, durationMs }: DeciderFacts, event: AuditEvent): void {
    // The operator chose the name; one that would have to be escaped is not told.
    const decider = /^[\w.-]{1,64}$/.test(name) ? name : 'other';
    const about = `of="${of ?? 'request'}",outcome="${outcome}",cached="${String(isCached === true)}"`;
    const key = `decider="${decider}",${about}`;
    const known = this.#deciders.get(key);
    if (known !== undefined || this.#deciders.size < defaultLimits.metricsSeriesMax)
      this.#deciders.set(key, (known ?? 0) + 1);
    if (isCached !== true) this.#latencies.decider.record(durationMs, this.#traceOf(event));
  }

  #traceOf(event: AuditEvent): { readonly id: string; readonly atMs: number } | undefined {
    const { traceId, traceparent, time } = event;
    const isSent = traceparent !== undefined || this.#hasTrace(traceId);
    return isSent ? { id: traceOf(event).traceId, atMs: parseIsoTime(time) } : undefined;
  }

  #record(event: AuditEvent, durationMs: number): void {
    const { times = {} } = event;
    const trace = this.#traceOf(event);
    this.#latencies.duration.record(durationMs, trace);
    if (times.firstByteMs !== undefined) this.#latencies.firstByte.record(times.firstByteMs, trace);
    if (times.decidedMs !== undefined) this.#latencies.decide.record(times.decidedMs, trace);
  }

  /** A limit that was reached. Those of audited events are counted with their event. */
  countLimit(limit: LimitName): void {
    this.#limitHits.set(limit, (this.#limitHits.get(limit) ?? 0) + 1);
  }

  /** The outcome is a word of ours. */
  countResume(outcome: string): void {
    this.#resumes.set(outcome, (this.#resumes.get(outcome) ?? 0) + 1);
  }

  /** Of a receiver of telemetry: how many events it took, or how many were dropped. Both are words of ours. */
  countTelemetry(receiver: string, outcome: 'sent' | 'dropped', count: number): void {
    const key = `receiver="${receiver}",outcome="${outcome}"`;
    this.#telemetry.set(key, (this.#telemetry.get(key) ?? 0) + count);
  }

  /** What is counted is a word of ours. */
  countCache(outcome: string, count: number): void {
    if (count > 0) this.#cache.set(outcome, (this.#cache.get(outcome) ?? 0) + count);
  }

  counts(gauges?: Gauges): Counts {
    return {
      events: new Map([...this.#events].map(([key, { count }]) => [key, count])),
      limitHits: new Map(this.#limitHits),
      resumes: new Map(this.#resumes),
      telemetry: new Map(this.#telemetry),
      modelTokens: new Map(this.#modelTokens),
      modelCosts: new Map(this.#modelCosts),
      deciders: new Map(this.#deciders),
      cache: new Map(this.#cache),
      latencies: byLatency((name) => this.#latencies[name].counts()),
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
    telemetry: addedSeries(all.map(({ telemetry }) => telemetry)),
    modelTokens: addedSeries(all.map(({ modelTokens }) => modelTokens)),
    modelCosts: addedSeries(all.map(({ modelCosts }) => modelCosts)),
    deciders: addedSeries(all.map(({ deciders }) => deciders)),
    cache: addedSeries(all.map(({ cache }) => cache)),
    latencies: byLatency((name) =>
      addedHistograms(
        latencyBounds[name],
        all.map(({ latencies }) => latencies[name]),
      ),
    ),
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
    advisoriesStaleSeconds: Math.max(0, ...all.map((one) => one.advisoriesStaleSeconds)),
    storeAwaySeconds: Math.max(0, ...all.map((one) => one.storeAwaySeconds)),
    spoolBytes: sumOf(all, ({ spoolBytes }) => spoolBytes),
    sessionLeases: sumOf(all, ({ sessionLeases }) => sessionLeases),
    // One of them looks, for all.
    sessionLeasesNotGivenBack: Math.max(0, ...all.map((one) => one.sessionLeasesNotGivenBack)),
    // All processes have one folder.
    cacheBytes: Math.max(0, ...all.map((one) => one.cacheBytes)),
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
    room: (sessionId) => sink.room?.(sessionId),
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

function byLatency<One>(make: (name: Latency) => One): Readonly<Record<Latency, One>> {
  return {
    duration: make('duration'),
    firstByte: make('firstByte'),
    decide: make('decide'),
    decider: make('decider'),
  };
}
