// The chain of the audit as the store's contract has it; the same for every engine.

import type { AuditFacts } from '../../api/audit-payload.ts';
import { integerOf, type StoredRow, textOf } from '../stored-row.ts';
import type { CutRow, HeadRow, RemovedLink } from './chain-cuts.ts';
import type { ChainSigner, ChainWitness, Signed } from './chain-statements.ts';
import { LinkHasher } from './link-hash.ts';

export interface OpeningRow extends Signed {
  readonly number: number;
}

/** An event as it is stored, and what it is found by beside its facts. */
export interface ChainedRow {
  readonly sequence: number;
  /** Absent: a program stored it that knows no chain. */
  readonly place?: { readonly number: number; readonly link: number; readonly before: string };
  readonly facts: AuditFacts;
  readonly found: Readonly<Record<'host' | 'principal' | 'trace', string | undefined>>;
}

/** What is read to verify. */
export interface ChainReader {
  /** In their order. */
  openings(): Promise<readonly OpeningRow[]>;
  /** Those behind that link, in the order of their links. */
  heads(number: number, behind: number, limit: number): Promise<readonly HeadRow[]>;
  /** The last one of them; of those before a link, where one is named. */
  latestHead(number: number, before?: number): Promise<HeadRow | undefined>;
  /** The one that has that link, or the first one behind it. */
  cut(number: number, link: number): Promise<CutRow | undefined>;
  /** Events behind that place, in the order of storing. */
  rows(behind: number, limit: number): Promise<readonly ChainedRow[]>;
  /** Marks behind that place, in their order. */
  marks(behind: number, limit: number): Promise<readonly TimeMark[]>;
  /** The place of an event up to that mark which is of a later time. */
  laterThan(mark: TimeMark): Promise<number | undefined>;
}

/** Up to that place of the store no event is of a later time: a search by time begins behind one. */
export interface TimeMark {
  readonly sequence: number;
  readonly highMs: number;
}

export interface AuditChain extends ChainReader {
  /** From now on what this process stores is a link of its chain, and what it removes is said in cuts. */
  begin(signer: ChainSigner): Promise<void>;
  /** Signs how far the chain is, where it went on; after a day another one follows. */
  signHead(): Promise<void>;
  /** Signs the last head: nothing follows. */
  end(): Promise<void>;
}

/** A number that no event of ours has, and not every engine can give as one, is none. */
const numberColumn = (column: string): string =>
  `CASE WHEN ${column} BETWEEN ${Number.MIN_SAFE_INTEGER} AND ${Number.MAX_SAFE_INTEGER} THEN ${column} END AS ${column}`;

/** Columns of a row of `audit` by which it can be hashed. */
const linkColumns = `${['chain', 'link', 'time_ms'].map(numberColumn).join(', ')}, id, session_id, verdict, kind, event`;

/** With what it goes on from, as base64url: what a removed row has to say for its cut. */
export const removedColumns = `${linkColumns}, link_before AS before`;

/** What somebody else put there stops no retention. */
export const isReadableCut = `first >= 0 AND last <= ${Number.MAX_SAFE_INTEGER} AND signed_by BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER}`;

/** A place that is beyond all of ours is said to be at that end: it is read, and found. */
export function placeWithin(least: string, greatest: string, column = 'sequence'): string {
  const { MIN_SAFE_INTEGER: from, MAX_SAFE_INTEGER: to } = Number;
  return `${least}(${greatest}(${column}, ${from}), ${to}) AS ${column}`;
}

function factsOf(row: StoredRow): AuditFacts {
  const { session_id: sessionId, time_ms: timeMs } = row;
  return {
    id: textOf(row, 'id'),
    ...(typeof sessionId === 'string' ? { sessionId } : {}),
    // What is none of those is hashed as something else than was stored, and so found.
    verdict: textOf(row, 'verdict') as AuditFacts['verdict'],
    kind: textOf(row, 'kind') as AuditFacts['kind'],
    timeMs: typeof timeMs === 'number' ? timeMs : Number.NaN,
    json: textOf(row, 'event'),
  };
}

/** Where a row stands in a chain; undefined for one that is in none, or says it only in part. */
function placeOf(row: StoredRow): ChainedRow['place'] {
  const { chain, link, before } = row;
  if (typeof chain !== 'number' || typeof link !== 'number' || typeof before !== 'string') return undefined;
  return { number: chain, link, before };
}

/** Undefined for a row that is in no chain, or says so in a form that none has. */
export function removedLinkOf(row: StoredRow): RemovedLink | undefined {
  const place = placeOf(row);
  return place?.before.length === 43 ? { ...place, facts: factsOf(row) } : undefined;
}

/** What the last link of a chain says of it, for the opening of the next one; undefined for what no gateway stored. */
export function witnessOf({ number, link, before, facts }: RemovedLink): ChainWitness | undefined {
  const hash = new LinkHasher().ofStored(before, link, facts);
  return hash === undefined ? undefined : { number, link, hash };
}

export function chainedRowOf(row: StoredRow): ChainedRow {
  const place = placeOf(row);
  const text = (column: string): string | undefined => {
    const value = row[column];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  return {
    sequence: integerOf(row, 'sequence'),
    ...(place === undefined ? {} : { place }),
    facts: factsOf(row),
    found: { host: text('host'), principal: text('principal'), trace: text('trace') },
  };
}

function signedOf(row: StoredRow): Signed {
  return { statement: textOf(row, 'statement'), signature: textOf(row, 'signature') };
}

export function openingRowOf(row: StoredRow): OpeningRow {
  return { number: integerOf(row, 'number'), ...signedOf(row) };
}

export function timeMarkOf(row: StoredRow): TimeMark {
  return { sequence: integerOf(row, 'sequence'), highMs: integerOf(row, 'high_ms') };
}

export function headRowOf(row: StoredRow): HeadRow {
  return { link: integerOf(row, 'link'), ...signedOf(row) };
}

export function cutRowOf(row: StoredRow): CutRow {
  return {
    number: integerOf(row, 'number'),
    first: integerOf(row, 'first'),
    last: integerOf(row, 'last'),
    by: integerOf(row, 'signed_by'),
    ...signedOf(row),
  };
}

/** What a search finds the event by; undefined for what is no event. */
export function columnsOf(json: string): ChainedRow['found'] | undefined {
  let event: unknown;
  try {
    event = JSON.parse(json);
  } catch {
    return undefined;
  }
  // Only looked into, each field by its type.
  const { host, principal, traceId } = (event ?? {}) as Readonly<Record<string, unknown>>;
  return { host: storedText(host), principal: storedText(principal), trace: storedText(traceId) };
}

/** As a column has it: no engine's text has a NUL or half a character. */
function storedText(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  return value.replaceAll('\0', '\ufffd').toWellFormed();
}
