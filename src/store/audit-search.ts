// Searching the audit, the newest first: an index leads, what it does not know is looked at in its rows, and one call looks at a bounded
// number of them. The engines differ in how a statement names its values and in a few forms; how it is looked for is the same.

import type { AuditEvent } from '../api/audit-event.ts';
import { auditEventOf } from './audit-row.ts';
import {
  and,
  type AuditFilter,
  inOrder,
  type Lead,
  leadOf,
  noPlace,
  type Part,
  part,
  type Range,
  restOf,
  type Value,
  within,
} from './audit-statement.ts';
import { integerOf, type StoredRow, textOf } from './stored-row.ts';

export interface AuditQuery {
  /** Only events that were stored after the event of this id; what a follower passes. */
  readonly sinceId?: string;
  /** Only events that were stored before the event of this id; what the next page of the newest passes. */
  readonly beforeId?: string;
  readonly limit: number;
  readonly sessionId?: string;
  readonly verdict?: AuditEvent['verdict'];
  readonly kind?: AuditEvent['kind'];
  /** Order of storing. `oldest` first is the default, right for following. */
  readonly order?: 'oldest' | 'newest';
}

export interface AuditSearch extends AuditFilter {
  /** Only events that were stored before the event of this id. */
  readonly beforeId?: string;
  readonly limit: number;
  /** How many events one call looks at, whatever it finds. */
  readonly lookMax: number;
}

/** The newest first, in the order of storing. */
export interface AuditPage {
  readonly events: readonly AuditEvent[];
  /** Of the last event that was looked at: passed as `beforeId` the search goes on. Absent: there is nothing more. */
  readonly next?: string;
}

/** Behind which event a walk through the audit in the order of time goes on. */
export interface AuditPlace {
  readonly timeMs: number;
  readonly sequence: number;
}

export interface AuditPeriod {
  readonly fromMs?: number | undefined;
  /** Events of this time or later are not given. */
  readonly untilMs?: number | undefined;
  readonly behind?: AuditPlace | undefined;
  readonly limit: number;
}

export interface PeriodPage {
  readonly events: readonly AuditEvent[];
  /** Absent: there is nothing more. */
  readonly next?: AuditPlace;
}

/** What an engine does in its own way. */
export interface SearchEngine {
  readonly all: (sql: string, values: readonly Value[]) => Promise<readonly StoredRow[]>;
  /** How a statement names its value of that number, from 1. */
  readonly place: (number: number) => string;
  /** That the sequence is one of a list, which is the value. */
  readonly listed: string;
  /** The statement of the newest places of each of some hosts: values are the hosts, a place above and one below all, and how many of each. */
  readonly newestOfHosts: string;
  /** A statement of the places of traces with that beginning, at most so many. */
  readonly placesOfTrace: (beginning: string, limit: number) => Part;
}

/** Traces of a beginning that are looked at; more than that begin with less than what tells two apart. */
const tracesMax = 10_000;
/** Hosts that are known, and of these those below a name: with more, looking at every row costs less. */
const hostsMax = 10_000;
const hostsBelowMax = 500;

/** See `AuditStore.search`. */
export async function searchAudit(engine: SearchEngine, search: AuditSearch): Promise<AuditPage> {
  const { beforeId, fromMs, trace, host } = search;
  const known = beforeId === undefined ? undefined : await placeOf(engine, beforeId);
  const range = {
    below: known ?? noPlace,
    above: fromMs === undefined ? 0 : await placeBefore(engine, fromMs),
  };
  // An event that was pruned still says where it stood: ids sort by time.
  const isGone = beforeId !== undefined && known === undefined;
  const rest: Part[] = [
    ...(isGone ? [{ text: `id || '' < ?`, values: [beforeId] }] : []),
    ...(fromMs === undefined ? [] : [{ text: 'time_ms + 0 >= ?', values: [fromMs] }]),
  ];
  if (trace !== undefined) {
    const { trace: _, ...others } = search;
    const found = { places: await placesOfTrace(engine, trace, range), isAll: true };
    return await amongPlaces(engine, search, found, [...rest, ...restOf(others)]);
  }
  if (host?.startsWith('.') === true && search.sessionId === undefined) {
    const hosts = await hostsBelow(engine, host);
    if (hosts !== undefined) {
      const { host: _, ...others } = search;
      const looked = [...rest, ...restOf(others)];
      const each = looked.length === 0 ? search.limit : Math.ceil(search.lookMax / Math.max(1, hosts.length));
      const found = await placesOfHosts(engine, hosts, range, Math.max(each, search.limit));
      return await amongPlaces(engine, search, found, looked);
    }
  }
  return await byIndex(engine, search, range, rest);
}

/** See `AuditStore.query`. */
export async function queryAudit(engine: SearchEngine, query: AuditQuery): Promise<readonly AuditEvent[]> {
  const { sinceId, beforeId, limit, order = 'oldest', ...filter } = query;
  const since = sinceId === undefined ? undefined : await placeOf(engine, sinceId);
  const before = beforeId === undefined ? undefined : await placeOf(engine, beforeId);
  const { lead, others } = leadOf(filter);
  const rows = await ask(engine, [
    part('SELECT event FROM audit WHERE'),
    and([
      ...within(lead, { below: before ?? noPlace, above: since ?? 0 }),
      // An event that was pruned still says where it stood: ids sort by time.
      ...(sinceId !== undefined && since === undefined ? [part(`id || '' > ?`, sinceId)] : []),
      ...(beforeId !== undefined && before === undefined ? [part(`id || '' < ?`, beforeId)] : []),
      ...restOf(others),
    ]),
    part(`${inOrder(lead, order)} LIMIT ?`, limit),
  ]);
  return rows.map(auditEventOf);
}

/** One index gives all places in their order. */
async function byIndex(
  engine: SearchEngine,
  search: AuditSearch,
  range: Range,
  more: readonly Part[],
): Promise<AuditPage> {
  const { lead, others } = leadOf(search);
  const rest = [...more, ...restOf(others)];
  const above = rest.length === 0 ? undefined : await lastLooked(engine, lead, range, search.lookMax);
  const looked = above === undefined ? range : { ...range, above: above.sequence - 1 };
  const rows = await ask(engine, [
    part('SELECT id, event FROM audit WHERE'),
    and([...within(lead, looked), ...rest]),
    part(`${inOrder(lead, 'newest')} LIMIT ?`, search.limit),
  ]);
  return pageOf(rows, search.limit, above?.id);
}

/** The last of as many rows as one call looks at; undefined where there are fewer. */
async function lastLooked(
  engine: SearchEngine,
  lead: Lead,
  range: Range,
  lookMax: number,
): Promise<{ readonly id: string; readonly sequence: number } | undefined> {
  const [row] = await ask(engine, [
    part('SELECT id, sequence FROM audit WHERE sequence = (SELECT sequence FROM audit WHERE'),
    and(within(lead, range)),
    part(`${inOrder(lead, 'newest')} LIMIT 1 OFFSET ?)`, lookMax - 1),
  ]);
  return row === undefined ? undefined : { id: textOf(row, 'id'), sequence: integerOf(row, 'sequence') };
}

/** Places in the order of storing, the newest first. */
interface Found {
  readonly places: readonly number[];
  /** Whether there are no others below them. */
  readonly isAll: boolean;
}

/** Events of places that were found before, the newest of which are looked at. */
async function amongPlaces(
  engine: SearchEngine,
  { limit, lookMax }: AuditSearch,
  { places, isAll }: Found,
  rest: readonly Part[],
): Promise<AuditPage> {
  const looked = places.slice(0, lookMax);
  if (looked.length === 0) return { events: [] };
  const rows = await ask(engine, [
    part('SELECT id, event FROM audit WHERE'),
    and([part(engine.listed, looked), ...rest]),
    part('ORDER BY sequence DESC LIMIT ?', limit),
  ]);
  const last = looked.at(-1) ?? 0;
  const [lastRow] =
    rows.length < limit && (!isAll || looked.length < places.length)
      ? await ask(engine, [part('SELECT id FROM audit WHERE sequence = ?', last)])
      : [];
  return pageOf(rows, limit, lastRow === undefined ? undefined : textOf(lastRow, 'id'));
}

function pageOf(rows: readonly StoredRow[], limit: number, lookedTo: string | undefined): AuditPage {
  const last = rows.at(-1);
  const next = rows.length >= limit && last !== undefined ? textOf(last, 'id') : lookedTo;
  return { events: rows.map(auditEventOf), ...(next === undefined ? {} : { next }) };
}

async function placesOfTrace(
  engine: SearchEngine,
  trace: string,
  { below, above }: Range,
): Promise<readonly number[]> {
  const rows = await ask(engine, [engine.placesOfTrace(trace, tracesMax)]);
  return rows
    .map((row) => integerOf(row, 'sequence'))
    .filter((place) => place < below && place > above)
    .toSorted((a, b) => b - a);
}

/** Undefined where there are too many to tell. */
async function hostsBelow(engine: SearchEngine, name: string): Promise<readonly string[] | undefined> {
  const rows = await ask(engine, [
    part(`WITH RECURSIVE known (host) AS (
        SELECT (SELECT min(host) FROM audit WHERE host > '')
        UNION ALL
        SELECT (SELECT min(audit.host) FROM audit WHERE audit.host > known.host) FROM known WHERE known.host IS NOT NULL
      )`),
    part('SELECT host FROM known LIMIT ?', hostsMax + 1),
  ]);
  const hosts = rows.flatMap(({ host }) => (typeof host === 'string' && host.endsWith(name) ? [host] : []));
  return rows.length > hostsMax || hosts.length > hostsBelowMax ? undefined : hosts;
}

/** The newest of all of them, as far as they are known: of each host so many were asked for. */
async function placesOfHosts(
  engine: SearchEngine,
  hosts: readonly string[],
  { below, above }: Range,
  limit: number,
): Promise<Found> {
  if (hosts.length === 0) return { places: [], isAll: true };
  const rows = await engine.all(engine.newestOfHosts, [hosts, below, above, limit]);
  const places = new Map<string, number[]>();
  for (const row of rows) {
    const of = places.get(textOf(row, 'host')) ?? [];
    places.set(textOf(row, 'host'), of);
    of.push(integerOf(row, 'sequence'));
  }
  // Below the last one of a host that has more nothing is known.
  const full = [...places.values()].filter((of) => of.length >= limit);
  const knownFrom = Math.max(0, ...full.map((of) => Math.min(...of)));
  const all = [...places.values()].flat().filter((place) => place >= knownFrom);
  return { places: all.toSorted((a, b) => b - a), isAll: full.length === 0 };
}

/** See `AuditStore.period`. */
export async function auditPeriod(engine: SearchEngine, period: AuditPeriod): Promise<PeriodPage> {
  const { fromMs = Number.MIN_SAFE_INTEGER, untilMs = Number.MAX_SAFE_INTEGER, limit } = period;
  const { timeMs, sequence } = period.behind ?? { timeMs: fromMs, sequence: 0 };
  const rows = await ask(engine, [
    part('SELECT sequence, time_ms, event FROM audit WHERE time_ms >= ?', timeMs),
    part('AND (time_ms > ? OR sequence > ?)', timeMs, sequence),
    part('AND time_ms < ? ORDER BY time_ms, sequence LIMIT ?', untilMs, limit),
  ]);
  const last = rows.length < limit ? undefined : rows.at(-1);
  const next = last && { timeMs: integerOf(last, 'time_ms'), sequence: integerOf(last, 'sequence') };
  return { events: rows.map(auditEventOf), ...(next === undefined ? {} : { next }) };
}

async function placeOf(engine: SearchEngine, id: string): Promise<number | undefined> {
  const [row] = await ask(engine, [part('SELECT sequence FROM audit WHERE id = ?', id)]);
  return row === undefined ? undefined : integerOf(row, 'sequence');
}

/** A place up to which nothing is of that time or later; 0 where none is known. */
async function placeBefore(engine: SearchEngine, fromMs: number): Promise<number> {
  const [row] = await ask(engine, [
    part('SELECT sequence FROM audit_mark WHERE high_ms < ? ORDER BY high_ms DESC LIMIT 1', fromMs),
  ]);
  return row === undefined ? 0 : integerOf(row, 'sequence');
}

function ask(engine: SearchEngine, parts: readonly Part[]): Promise<readonly StoredRow[]> {
  let number = 0;
  const sql = parts
    .map(({ text }) => text)
    .join(' ')
    .replaceAll('?', () => {
      number += 1;
      return engine.place(number);
    });
  return engine.all(
    sql,
    parts.flatMap(({ values }) => values),
  );
}
