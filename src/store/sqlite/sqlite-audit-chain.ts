// The chain of the audit in SQLite: opened on the main thread, gone on with by whoever writes, which is a thread of its own as a rule.

import type { KeyObject } from 'node:crypto';
import {
  type ChainedRow,
  chainedRowOf,
  type ChainReader,
  cutRowOf,
  headRowOf,
  isReadableCut,
  type OpeningRow,
  openingRowOf,
  placeWithin,
  removedColumns,
  removedLinkOf,
  type TimeMark,
  timeMarkOf,
  witnessOf,
} from '../chain/audit-chain.ts';
import {
  type CutRow,
  cutChanges,
  type HeadRow,
  type RemovedLink,
  removedRuns,
  type Touched,
  touchedBy,
} from '../chain/chain-cuts.ts';
import type { ChainSigner } from '../chain/chain-statements.ts';
import { endsOf, type LatestHead, openChains } from '../chain/chain-ends.ts';
import { ChainMemory } from '../chain/chain-memory.ts';
import {
  areSameKeys,
  requireKnownSigners,
  seenIn,
  type TrustedOpening,
  trustedOpenings,
} from '../chain/chain-trust.ts';
import { type ChainFacts, LiveChain, openChain } from '../chain/live-chain.ts';
import { LinkHasher } from '../chain/link-hash.ts';
import { integerOf, type StoredRow } from '../stored-row.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** The opening of the latest chain. */
export function latestOpening(database: SqliteDatabase): OpeningRow | undefined {
  const row = database.get(
    'SELECT number, statement, signature FROM audit_chain ORDER BY number DESC LIMIT 1',
  );
  return row === undefined ? undefined : openingRowOf(row);
}

/** Begins a chain, and gives what whoever writes needs of it. */
export function beginChain(
  database: SqliteDatabase,
  signer: ChainSigner,
  { nowMs, memory = new ChainMemory() }: { readonly nowMs: number; readonly memory?: ChainMemory },
): ChainFacts {
  const facts = database.transaction(() => {
    const top = database.get(
      `SELECT ${placeWithin('min', 'max')}, ${removedColumns} FROM audit ORDER BY audit.sequence DESC LIMIT 1`,
    );
    const link = top === undefined ? undefined : removedLinkOf(top);
    const openings = trustedOpenings(readOpenings(database), signer.publicKeys, memory.known);
    const before = {
      latest: latestOpening(database),
      sequence: top === undefined ? 0 : integerOf(top, 'sequence'),
      top: link === undefined ? undefined : witnessOf(link),
      ends: endsOf(openings, latestHeads(database, openChains(openings))),
    };
    const opened = openChain(signer, before, { nowMs, memory });
    const { number, statement, signature } = opened.opening;
    database.run(
      'INSERT INTO audit_chain (number, statement, signature) VALUES (:number, :statement, :signature)',
      { number, statement, signature },
    );
    return opened.facts;
  });
  memory.opened(facts, signer);
  return facts;
}

/** The chain as its one writer has it. */
export class SqliteChain {
  readonly live: LiveChain;
  readonly #database: SqliteDatabase;
  #identityKeys: readonly KeyObject[];
  readonly #hasher = new LinkHasher();
  #keys: ReadonlyMap<number, TrustedOpening> = new Map();
  #latest = 0;

  constructor(database: SqliteDatabase, facts: ChainFacts, identityKeys: readonly KeyObject[]) {
    this.#database = database;
    this.live = new LiveChain(facts);
    this.#identityKeys = identityKeys;
  }

  /** The keys of the identity, as they are by now. */
  believe(identityKeys: readonly KeyObject[]): void {
    if (!areSameKeys(identityKeys, this.#identityKeys)) this.#latest = 0;
    this.#identityKeys = identityKeys;
  }

  /** Stores a head, where one is due. */
  head(nowMs: number, isLast: boolean): void {
    const due = this.live.head(nowMs, isLast);
    if (due === undefined) return;
    const { head, signed } = due;
    this.#database.run(
      `INSERT INTO audit_head (chain, link, is_last, statement, signature) VALUES (:chain, :link, :isLast, :statement, :signature)
       ON CONFLICT (chain, link) DO UPDATE SET
         is_last = excluded.is_last, statement = excluded.statement, signature = excluded.signature`,
      { chain: head.number, link: head.link, isLast: isLast ? 1 : 0, ...signed },
    );
    this.live.signed(head);
  }

  /** In the transaction that removed them. */
  cut(removed: readonly RemovedLink[]): void {
    const runs = removedRuns(removed, this.#hasher);
    for (const { number, first, last } of touchedBy(runs)) {
      const stored = this.#database
        .all(
          `SELECT chain AS number, first, last, signed_by, statement, signature FROM audit_cut
           WHERE chain = :number AND first <= :last AND last >= :first AND ${isReadableCut} ORDER BY first`,
          { number, first, last },
        )
        .map(cutRowOf);
      if (stored.some(({ by }) => this.#keyOf(by) === undefined))
        requireKnownSigners(stored, readOpenings(this.#database), (by) => this.#keyOf(by) !== undefined);
      const { gone, put, headsGone } = cutChanges(
        { cuts: stored, heads: this.#headsWithin({ number, first, last }) },
        runs.filter((one) => one.number === number),
        {
          by: this.live.number,
          key: this.live.key,
          keyOf: (by) => this.#keyOf(by),
          seenOf: (of) => [
            ...seenIn(this.#openings(), of),
            ...(of === this.live.number ? [this.live.witness] : []),
          ],
        },
      );
      for (const row of gone) this.#forget(row);
      for (const row of put) this.#put(row);
      for (const link of headsGone)
        this.#database.run('DELETE FROM audit_head WHERE chain = :number AND link = :link', { number, link });
    }
  }

  /** Those in a part of the chain, and the latest one. */
  #headsWithin({ number, first, last }: Touched): readonly HeadRow[] {
    return this.#database
      .all(
        `SELECT link, statement, signature FROM audit_head
         WHERE chain = :number AND (link BETWEEN :first AND :last
           OR link = (SELECT max(link) FROM audit_head WHERE chain = :number AND link <= ${Number.MAX_SAFE_INTEGER}))
         ORDER BY link`,
        { number, first, last },
      )
      .map(headRowOf);
  }

  #forget({ number, first }: CutRow): void {
    this.#database.run('DELETE FROM audit_cut WHERE chain = :number AND first = :first', { number, first });
  }

  #put({ number, first, last, by, statement, signature }: CutRow): void {
    this.#database.run(
      `INSERT INTO audit_cut (chain, first, last, signed_by, statement, signature)
       VALUES (:number, :first, :last, :by, :statement, :signature)
       ON CONFLICT (chain, first) DO UPDATE SET last = excluded.last, signed_by = excluded.signed_by,
         statement = excluded.statement, signature = excluded.signature`,
      { number, first, last, by, statement, signature },
    );
  }

  #keyOf(number: number): KeyObject | undefined {
    if (number === this.live.number) return this.live.key;
    return this.#openings().get(number)?.key;
  }

  /** Read again once there are more, or other keys. */
  #openings(): ReadonlyMap<number, TrustedOpening> {
    const row = this.#database.get('SELECT coalesce(max(number), 0) AS latest FROM audit_chain');
    const latest = row === undefined ? 0 : integerOf(row, 'latest');
    if (latest > this.#latest)
      this.#keys = trustedOpenings(readOpenings(this.#database), this.#identityKeys, [this.live.opening]);
    this.#latest = Math.max(latest, this.#latest);
    return this.#keys;
  }
}

function latestHeads(database: SqliteDatabase, numbers: readonly number[]): readonly LatestHead[] {
  return database
    .all(
      `SELECT chain AS number, statement, signature FROM json_each(:numbers) AS asked CROSS JOIN audit_head
       WHERE chain = asked.value AND link = (SELECT max(link) FROM audit_head WHERE chain = asked.value)`,
      { numbers: JSON.stringify(numbers) },
    )
    .map(openingRowOf);
}

function readOpenings(database: SqliteDatabase): readonly OpeningRow[] {
  return database
    .all('SELECT number, statement, signature FROM audit_chain ORDER BY number')
    .map((row: StoredRow) => openingRowOf(row));
}

/** For who verifies. */
export function chainReader(database: SqliteDatabase): ChainReader {
  return {
    openings: async () => readOpenings(database),
    heads: async (number, behind, limit): Promise<readonly HeadRow[]> =>
      database
        .all(
          `SELECT ${placeWithin('min', 'max', 'link')}, statement, signature FROM audit_head
           WHERE chain = :number AND audit_head.link > :behind ORDER BY audit_head.link LIMIT :limit`,
          { number, behind, limit },
        )
        .map(headRowOf),
    latestHead: async (number, before): Promise<HeadRow | undefined> => {
      const row = database.get(
        `SELECT ${placeWithin('min', 'max', 'link')}, statement, signature FROM audit_head
         WHERE chain = :number AND (:before IS NULL OR audit_head.link < :before)
         ORDER BY audit_head.link DESC LIMIT 1`,
        { number, before: before ?? null },
      );
      return row === undefined ? undefined : headRowOf(row);
    },
    cut: async (number, link) => {
      const row = database.get(
        `SELECT chain AS number, first, last, signed_by, statement, signature FROM audit_cut
         WHERE chain = :number AND last >= :link
           AND first >= coalesce((SELECT max(first) FROM audit_cut WHERE chain = :number AND first <= :link), 0)
         ORDER BY first LIMIT 1`,
        { number, link },
      );
      return row === undefined ? undefined : cutRowOf(row);
    },
    rows: async (behind, limit): Promise<readonly ChainedRow[]> =>
      database
        .all(
          `SELECT ${placeWithin('min', 'max')}, ${removedColumns}, host, principal, trace FROM audit
           WHERE audit.sequence > :behind ORDER BY audit.sequence LIMIT :limit`,
          { behind, limit },
        )
        .map(chainedRowOf),
    marks: async (behind, limit): Promise<readonly TimeMark[]> =>
      database
        .all(
          `SELECT ${placeWithin('min', 'max')}, ${placeWithin('min', 'max', 'high_ms')} FROM audit_mark
           WHERE audit_mark.sequence > :behind ORDER BY audit_mark.sequence LIMIT :limit`,
          { behind, limit },
        )
        .map(timeMarkOf),
    laterThan: async ({ sequence, highMs }) => {
      const row = database.get(
        `SELECT ${placeWithin('min', 'max')} FROM audit WHERE audit.sequence <= :sequence AND time_ms > :highMs
         ORDER BY audit.sequence LIMIT 1`,
        { sequence, highMs },
      );
      return row === undefined ? undefined : integerOf(row, 'sequence');
    },
  };
}
