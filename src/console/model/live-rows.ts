// Rows of the live list from the events that are held: filtered, folded, with notes between them, and counted. It only ever appends
// or counts up, so a row that is seen stays where it is.

import type { AuditEvent } from '../../api/audit-event.ts';
import { markOf, sameness, weightOf } from './event-facts.ts';
import type { FilterKey } from './filter-keys.ts';
import { type Filter, filterMatcher } from './filter-language.ts';
import type { Matcher } from './filter-tests.ts';
import { shortId } from './display.ts';

export interface EventRow {
  readonly kind: 'event';
  readonly event: AuditEvent;
  /** How many events are folded into it, this one too. */
  times: number;
  lastMs: number;
}

export interface NoteRow {
  readonly kind: 'note';
  readonly id: string;
  readonly text: string;
}

export type LiveRow = EventRow | NoteRow;

export interface Facets {
  all: number;
  deny: number;
  error: number;
  observe: number;
  credential: number;
}

/** Of one bar of the gate line. */
export interface GateBin {
  passed: number;
  stopped: number;
}

/** A note between two events. */
export interface Note {
  readonly id: string;
  /** Of the event that it stands behind; undefined: before all. */
  readonly afterId: string | undefined;
  readonly text: string;
}

const foldWithinMs = 10_000;
export const binMs = 10_000;
const facetKeys: ReadonlySet<FilterKey> = new Set(['verdict', 'observed', 'credential']);

export interface LiveRowsOptions {
  readonly filter: Filter;
  readonly isFolding: boolean;
  readonly nowMs: number;
}

/** The rows of one filter. Made anew when the filter changes or older events come. */
export class LiveRows {
  readonly rows: LiveRow[] = [];
  /** Of what the rest of the filter lets through, so that each says what it would show. */
  readonly facets: Facets = { all: 0, deny: 0, error: 0, observe: 0, credential: 0 };
  /** By their beginning divided by `binMs`. */
  readonly bins = new Map<number, GateBin>();
  readonly #isFolding: boolean;
  readonly #fits: Matcher;
  readonly #fitsRest: Matcher;
  readonly #open = new Map<string, EventRow>();
  readonly #versions = new Set<string>();
  readonly #told = new Set<string>();
  #taken = 0;
  #newestMs = 0;
  #fitting = 0;

  constructor({ filter, isFolding, nowMs }: LiveRowsOptions) {
    this.#isFolding = isFolding;
    this.#fits = filterMatcher(filter, { nowMs });
    this.#fitsRest = filterMatcher(filter, { nowMs, without: facetKeys });
  }

  /** How many requests its rows stand for. */
  get fitting(): number {
    return this.#fitting;
  }

  /**
   * Takes the events behind those that it has already taken. With `mayGoOn` as many as fit until that says no, and the next call goes on there. Gives
   * whether all are taken.
   */
  extend(events: readonly AuditEvent[], notes: readonly Note[], mayGoOn?: () => boolean): boolean {
    const waiting = Map.groupBy(notes, ({ afterId }) => afterId);
    // Those behind the last that was taken may have been held back.
    this.#tellNotes(waiting.get(this.#taken === 0 ? undefined : events[this.#taken - 1]?.id));
    for (; this.#taken < events.length; this.#taken += 1) {
      if (this.#taken % eventsALook === 0 && mayGoOn?.() === false) break;
      const event = events[this.#taken];
      if (event === undefined) break;
      this.#take(event);
      this.#tellNotes(waiting.get(event.id));
    }
    if (this.#open.size > openMax) this.#forget();
    return this.#taken >= events.length;
  }

  #tellNotes(notes: readonly Note[] = []): void {
    for (const { id, text } of notes) {
      if (this.#told.has(id)) continue;
      this.#told.add(id);
      this.rows.push({ kind: 'note', id, text });
    }
  }

  #take(event: AuditEvent): void {
    if (!this.#fitsRest(event)) return;
    const atMs = Date.parse(event.time);
    this.#count(event, atMs);
    if (!this.#fits(event)) return;
    this.#fitting += weightOf(event);
    this.#notePolicy(event);
    this.#newestMs = Math.max(this.#newestMs, atMs);
    const key = this.#isFolding && event.kind !== 'session' ? sameness(event) : undefined;
    const open = key === undefined ? undefined : this.#open.get(key);
    if (open !== undefined && Math.abs(atMs - open.lastMs) <= foldWithinMs) {
      open.times += weightOf(event);
      open.lastMs = Math.max(atMs, open.lastMs);
      return;
    }
    const row: EventRow = { kind: 'event', event, times: weightOf(event), lastMs: atMs };
    this.rows.push(row);
    if (key !== undefined) this.#open.set(key, row);
  }

  #count(event: AuditEvent, atMs: number): void {
    const { facets, bins } = this;
    const weight = weightOf(event);
    facets.all += weight;
    const mark = markOf(event);
    if (mark === 'deny' || mark === 'error' || mark === 'observe') facets[mark] += weight;
    if ((event.injected?.length ?? 0) > 0) facets.credential += weight;
    if (event.kind === 'session' || event.kind === 'alarm') return;
    const index = Math.floor(atMs / binMs);
    const bin = bins.get(index) ?? { passed: 0, stopped: 0 };
    if (mark === 'deny') bin.stopped += weight;
    else bin.passed += weight;
    bins.set(index, bin);
  }

  /** A policy that was not seen before came into force. One that ends late is no news. */
  #notePolicy({ policyVersion, id }: AuditEvent): void {
    if (policyVersion === undefined || this.#versions.has(policyVersion)) return;
    this.#versions.add(policyVersion);
    if (this.#versions.size === 1) return;
    const text = `Policy ${shortId(policyVersion)} decides from here`;
    this.rows.push({ kind: 'note', id: `policy ${id}`, text });
  }

  /** What is too old to fold into is not looked for again. */
  #forget(): void {
    for (const [key, row] of this.#open)
      if (this.#newestMs - row.lastMs > foldWithinMs) this.#open.delete(key);
    if (this.#open.size > openMax) this.#open.clear();
  }
}

const openMax = 20_000;
/** Between two looks at the clock. */
const eventsALook = 256;
