// What the held events add up to: by session, by destination, by rule, by credential. Sums say since when, never more than is held.

import type { AuditEvent } from '../../api/audit-event.ts';
import { markOf, weightOf } from './event-facts.ts';
import { binMs, type GateBin } from './live-rows.ts';
import { TimeAdded } from './time-added.ts';

export interface Total {
  passed: number;
  denied: number;
  failed: number;
  lastMs: number;
  lastError: string | undefined;
}

export interface Top {
  readonly host: string;
  readonly rule: string;
  readonly count: number;
}

const separator = '\n';

/** Takes each event once; made anew when the beginning of what is held changed. */
export class EventTotals {
  readonly bySession = new Map<string, Total>();
  readonly byRule = new Map<string, Total>();
  readonly byCredential = new Map<string, Total>();
  /** Of each session, the bars of its gate line. */
  readonly binsBySession = new Map<string, Map<number, GateBin>>();
  readonly bins = new Map<number, GateBin>();
  readonly alarms: AuditEvent[] = [];
  readonly all: Total = newTotal();
  /** How long requests stayed here before they went on. */
  readonly added = new TimeAdded();
  readonly #denied = new Map<string, number>();
  readonly #passed = new Map<string, number>();
  #taken = 0;

  extend(events: readonly AuditEvent[]): void {
    for (; this.#taken < events.length; this.#taken += 1) {
      const event = events[this.#taken];
      if (event !== undefined) this.#take(event);
    }
  }

  deniedMost(count: number): readonly Top[] {
    return topsOf(this.#denied, count);
  }

  allowedMost(count: number): readonly Top[] {
    return topsOf(this.#passed, count);
  }

  #take(event: AuditEvent): void {
    if (event.kind === 'alarm') this.alarms.push(event);
    if (event.kind !== 'exchange' && event.kind !== 'stream') return;
    const { sessionId, rule, injected = [], host = 'unknown host' } = event;
    add(this.all, event);
    this.added.take(event);
    if (sessionId !== undefined) add(totalOf(this.bySession, sessionId), event);
    if (rule !== undefined) add(totalOf(this.byRule, rule), event);
    for (const name of injected) add(totalOf(this.byCredential, name), event);
    count(this.bins, event);
    if (sessionId !== undefined) {
      const own = this.binsBySession.get(sessionId) ?? new Map<number, GateBin>();
      this.binsBySession.set(sessionId, own);
      count(own, event);
    }
    const tops = event.verdict === 'deny' ? this.#denied : this.#passed;
    const key = `${host}${separator}${rule ?? event.errorCode ?? ''}`;
    tops.set(key, (tops.get(key) ?? 0) + weightOf(event));
  }
}

function newTotal(): Total {
  return { passed: 0, denied: 0, failed: 0, lastMs: 0, lastError: undefined };
}

function totalOf(totals: Map<string, Total>, key: string): Total {
  const known = totals.get(key) ?? newTotal();
  totals.set(key, known);
  return known;
}

function add(total: Total, event: AuditEvent): void {
  const weight = weightOf(event);
  const mark = markOf(event);
  if (mark === 'deny') total.denied += weight;
  else if (mark === 'error') total.failed += weight;
  else total.passed += weight;
  total.lastMs = Math.max(total.lastMs, Date.parse(event.time));
  if (event.errorCode !== undefined) total.lastError = event.errorCode;
}

function count(bins: Map<number, GateBin>, event: AuditEvent): void {
  const index = Math.floor(Date.parse(event.time) / binMs);
  const bin = bins.get(index) ?? { passed: 0, stopped: 0 };
  if (event.verdict === 'deny') bin.stopped += weightOf(event);
  else bin.passed += weightOf(event);
  bins.set(index, bin);
}

function topsOf(tops: ReadonlyMap<string, number>, most: number): readonly Top[] {
  return [...tops]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, most)
    .map(([key, count]) => {
      const [host = '', rule = ''] = key.split(separator);
      return { host, rule, count };
    });
}
