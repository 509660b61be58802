// Searching the audit, the newest first: an index leads, what it does not know is looked at in its rows, and one call looks at a bounded
// number of them. The engines differ in how a statement names its values and in a few forms; how it is looked for is the same.

import type { AuditEvent } from '../api/audit-event.ts';
import { ask, bounds, partsOf, type SearchEngine } from './audit-engine.ts';
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

/** Traces of a beginning that are looked at; more than that begin with less than what tells two apart. */
const tracesMax = 10_000;
/** Hosts that are known, and of these those below a name: with more, looking at every row costs less. */
const hostsMax = 10_000;
const hostsBelowMax = 500;

/** See `AuditStore.search`. */
export async function searchAudit(engine: SearchEngine, search: AuditSearch): Promise<AuditPage> {
  const { beforeId, fromMs, limit, lookMax } = search;
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
  const events: AuditEvent[] = [];
  let looked = 0;
  for await (const within of partsOf(engine, range, 'newest')) {
    const left = { ...search, limit: limit - events.length, lookMax: Math.max(1, lookMax - looked) };
    const found = await searchPart(engine, left, within, rest);
    events.push(...found.rows.map(auditEventOf));
    looked += found.looked;
    const last = found.rows.at(-1);
    if (events.length >= limit && last !== undefined) return { events, next: textOf(last, 'id') };
    const next = found.lookedTo === undefined ? undefined : await idAt(engine, found.lookedTo);
    if (next !== undefined) return { events, next };
  }
  return { events };
}

/** What was found of a part, and how many events were looked at. */
interface FoundRows {
  readonly rows: readonly StoredRow[];
  readonly looked: number;
  /** Place of the last one that was looked at, where there may be more behind it. */
  readonly lookedTo?: number | undefined;
}

async function searchPart(
  engine: SearchEngine,
  search: AuditSearch,
  range: Range,
  rest: readonly Part[],
): Promise<FoundRows> {
  const { trace, host } = search;
  if (trace !== undefined) {
    const { trace: _, ...others } = search;
    const found = { places: await placesOfTrace(engine, trace, range), isAll: true };
    return await amongPlaces(engine, search, found, [...rest, ...restOf(others)]);
  }
  if (host?.startsWith('.') === true && search.sessionId === undefined) {
    const hosts = await hostsBelow(engine, host, range);
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
  const rest = [
    // An event that was pruned still says where it stood: ids sort by time.
    ...(sinceId !== undefined && since === undefined ? [part(`id || '' > ?`, sinceId)] : []),
    ...(beforeId !== undefined && before === undefined ? [part(`id || '' < ?`, beforeId)] : []),
    ...restOf(others),
  ];
  const rows: StoredRow[] = [];
  for await (const range of partsOf(engine, { below: before ?? noPlace, above: since ?? 0 }, order)) {
    const found = await ask(engine, [
      part('SELECT event FROM audit WHERE'),
      and([...led(engine, lead, range), ...rest]),
      part(`${inOrder(lead, order)} LIMIT ?`, limit - rows.length),
    ]);
    rows.push(...found);
    if (rows.length >= limit) break;
  }
  return rows.map(auditEventOf);
}

/** Rows of an index within a range of places. */
function led(engine: SearchEngine, lead: Lead, range: Range): readonly Part[] {
  const index = within(lead, range);
  return lead.column === undefined ? index : [...index, ...bounds(engine, range)];
}

/** One index gives all places in their order. */
async function byIndex(
  engine: SearchEngine,
  search: AuditSearch,
  range: Range,
  more: readonly Part[],
): Promise<FoundRows> {
  const { lead, others } = leadOf(search);
  const rest = [...more, ...restOf(others)];
  const seen = rest.length === 0 ? undefined : await lookedAt(engine, lead, range, search.lookMax);
  if (seen?.looked === 0) return { rows: [], looked: 0 };
  const isBounded = seen !== undefined && seen.looked >= search.lookMax;
  const rows = await ask(engine, [
    part('SELECT id, event FROM audit WHERE'),
    and([...led(engine, lead, isBounded ? { ...range, above: seen.last - 1 } : range), ...rest]),
    part(`${inOrder(lead, 'newest')} LIMIT ?`, search.limit),
  ]);
  return { rows, looked: seen?.looked ?? rows.length, lookedTo: isBounded ? seen.last : undefined };
}

/** How many rows there are, up to those that one call looks at, and the place of the last of them. */
async function lookedAt(
  engine: SearchEngine,
  lead: Lead,
  range: Range,
  lookMax: number,
): Promise<{ readonly looked: number; readonly last: number }> {
  const [row = {}] = await ask(engine, [
    part(
      'SELECT count(*) AS looked, coalesce(min(sequence), 0) AS last FROM (SELECT sequence FROM audit WHERE',
    ),
    and(led(engine, lead, range)),
    part(`${inOrder(lead, 'newest')} LIMIT ?) AS seen`, lookMax),
  ]);
  return { looked: integerOf(row, 'looked'), last: integerOf(row, 'last') };
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
): Promise<FoundRows> {
  const looked = places.slice(0, lookMax);
  const last = looked.at(-1);
  const [first = 0] = looked;
  if (last === undefined) return { rows: [], looked: 0 };
  const range = bounds(engine, { below: first + 1, above: last - 1 });
  const rows = await ask(engine, [
    part('SELECT id, event FROM audit WHERE'),
    and([part(engine.listed, looked), ...range, ...rest]),
    part('ORDER BY sequence DESC LIMIT ?', limit),
  ]);
  return {
    rows,
    looked: looked.length,
    lookedTo: !isAll || looked.length < places.length ? last : undefined,
  };
}

async function idAt(engine: SearchEngine, place: number): Promise<string | undefined> {
  const [row] = await ask(engine, [part('SELECT id FROM audit WHERE sequence = ?', place)]);
  return row === undefined ? undefined : textOf(row, 'id');
}

async function placesOfTrace(engine: SearchEngine, trace: string, range: Range): Promise<readonly number[]> {
  const { where, order } = engine.tracesOf(trace);
  const rows = await ask(engine, [
    part('SELECT sequence FROM audit WHERE'),
    and([where, ...bounds(engine, range)]),
    part(`ORDER BY ${order} LIMIT ?`, tracesMax),
  ]);
  return rows
    .map((row) => integerOf(row, 'sequence'))
    .filter((place) => place < range.below && place > range.above)
    .toSorted((a, b) => b - a);
}

/** Undefined where there are too many to tell. */
async function hostsBelow(
  engine: SearchEngine,
  name: string,
  range: Range,
): Promise<readonly string[] | undefined> {
  const within = bounds(engine, range);
  const rows = await ask(engine, [
    part('WITH RECURSIVE known (host) AS (SELECT (SELECT min(host) FROM audit WHERE'),
    and([part(`host > ''`), ...within]),
    part(') UNION ALL SELECT (SELECT min(audit.host) FROM audit WHERE'),
    and([part('audit.host > known.host'), ...within]),
    part(') FROM known WHERE known.host IS NOT NULL) SELECT host FROM known LIMIT ?', hostsMax + 1),
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
  const above = engine.parts === undefined ? 0 : await placeBefore(engine, timeMs);
  let rows: readonly StoredRow[] = [];
  // An event of that time may be in any later part, where its spool was late; the earliest of all are kept.
  for await (const range of partsOf(engine, { below: noPlace, above }, 'oldest')) {
    const full = rows.length < limit ? undefined : rows.at(-1);
    const found = await ask(engine, [
      part('SELECT sequence, time_ms, event FROM audit WHERE'),
      and([
        part('time_ms >= ?', timeMs),
        part('(time_ms > ? OR sequence > ?)', timeMs, sequence),
        // What comes from a later part at the same time stands behind what is there.
        part('time_ms < ?', full === undefined ? untilMs : Math.min(untilMs, integerOf(full, 'time_ms'))),
        ...bounds(engine, range),
      ]),
      part('ORDER BY time_ms, sequence LIMIT ?', limit),
    ]);
    if (found.length > 0) rows = [...rows, ...found].toSorted(byTime).slice(0, limit);
  }
  const last = rows.length < limit ? undefined : rows.at(-1);
  const next = last && { timeMs: integerOf(last, 'time_ms'), sequence: integerOf(last, 'sequence') };
  return { events: rows.map(auditEventOf), ...(next === undefined ? {} : { next }) };
}

function byTime(one: StoredRow, other: StoredRow): number {
  const difference = integerOf(one, 'time_ms') - integerOf(other, 'time_ms');
  return difference === 0 ? integerOf(one, 'sequence') - integerOf(other, 'sequence') : difference;
}

/** One column of an event; most that are asked for are new. */
export async function rowOfEvent(
  engine: SearchEngine,
  id: string,
  column: 'sequence' | 'event',
): Promise<StoredRow | undefined> {
  for await (const range of partsOf(engine, { below: noPlace, above: -noPlace }, 'newest')) {
    const [row] = await ask(engine, [
      part(`SELECT ${column} FROM audit WHERE`),
      and([part('id = ?', id), ...bounds(engine, range)]),
    ]);
    if (row !== undefined) return row;
  }
  return undefined;
}

async function placeOf(engine: SearchEngine, id: string): Promise<number | undefined> {
  const row = await rowOfEvent(engine, id, 'sequence');
  return row === undefined ? undefined : integerOf(row, 'sequence');
}

/** A place up to which nothing is of that time or later; 0 where none is known. */
async function placeBefore(engine: SearchEngine, fromMs: number): Promise<number> {
  const [row] = await ask(engine, [
    part('SELECT sequence FROM audit_mark WHERE high_ms < ? ORDER BY high_ms DESC LIMIT 1', fromMs),
  ]);
  return row === undefined ? 0 : integerOf(row, 'sequence');
}
