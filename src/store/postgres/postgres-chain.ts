// The chain of the audit of one process in PostgreSQL: what it stores goes on from what it stored before, as it has it in memory. A store that
// went back, or was changed beneath it, is noticed by the next batch, and another chain begins that says how far the one before had been.

import type { KeyObject } from 'node:crypto';
import { ProxyError } from '../../protocol/error.ts';
import {
  type AuditChain,
  cutRowOf,
  headRowOf,
  isReadableCut,
  type OpeningRow,
  openingRowOf,
  placeWithin,
  removedColumns,
  removedLinkOf,
  witnessOf,
} from '../chain/audit-chain.ts';
import {
  type CutRow,
  cutChanges,
  type HeadRow,
  type RemovedRun,
  type Touched,
  touchedBy,
} from '../chain/chain-cuts.ts';
import { endsOf, type LatestHead, openChains } from '../chain/chain-ends.ts';
import { ChainMemory } from '../chain/chain-memory.ts';
import { type ChainSigner, readCut } from '../chain/chain-statements.ts';
import {
  areSameKeys,
  requireKnownSigners,
  seenIn,
  type TrustedOpening,
  trustedOpenings,
} from '../chain/chain-trust.ts';
import { type ChainCursor, isTooOld, LiveChain, openChain } from '../chain/live-chain.ts';
import type { ChainBorders } from '../chain/gathered-runs.ts';
import { integerOf, type StoredRow, textOf } from '../stored-row.ts';
import type { AuditEntry } from '../store.ts';
import { lockAudit } from './postgres-audit-lock.ts';
import { firstWithin, partRanges } from './postgres-audit-parts.ts';
import { freshEntries } from './postgres-audit-known.ts';
import { openingsOf, PostgresChainReader } from './postgres-chain-reader.ts';
import { type LinkedEntry, putEvents } from './postgres-audit-rows.ts';
import type { PostgresDatabase, Statements } from './postgres-database.ts';

/** A batch may meet a store that went back and, in it, events that are there already. */
const writeAttempts = 3;

/** Stores events within the transaction that it is given for. */
export type PutEvents = (entries: readonly AuditEntry[]) => Promise<void>;

export class PostgresChain extends PostgresChainReader implements AuditChain {
  readonly #database: PostgresDatabase;
  #signer: ChainSigner | undefined;
  #live: LiveChain | undefined;
  readonly #memory = new ChainMemory();
  #keys: ReadonlyMap<number, TrustedOpening> = new Map();
  #latest = 0;
  #believed: readonly KeyObject[] = [];
  /** What goes on with the chain: one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(database: PostgresDatabase) {
    super(database);
    this.#database = database;
  }

  async begin(signer: ChainSigner): Promise<void> {
    this.#signer = signer;
    this.#memory.begin(signer);
  }

  /** Runs `body` in one transaction, in which events are stored by what it is given; the sums are locked by then. */
  write<T>(body: (statements: Statements, put: PutEvents) => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      const problems = { isLost: false, hasKnown: false };
      for (let attempts = 1; ; attempts += 1) {
        problems.isLost = false;
        const live = await this.#ready();
        try {
          return await this.#writeOnce(live, problems, body);
        } catch (error) {
          if (problems.isLost) {
            this.#memory.ended(live?.witness);
            this.#live = undefined;
          } else if (!problems.hasKnown) throw error;
          if (attempts === writeAttempts) throw error;
        }
      }
    });
  }

  async #writeOnce<T>(
    live: LiveChain | undefined,
    problems: { isLost: boolean; hasKnown: boolean },
    body: (statements: Statements, put: PutEvents) => Promise<T>,
  ): Promise<T> {
    const asksFirst = problems.hasKnown;
    problems.hasKnown = false;
    let cursor: ChainCursor | undefined;
    const result = await this.#database.transaction(async (statements) => {
      const { places } = await lockAudit(statements);
      cursor = live?.cursor();
      return await body(statements, async (entries) => {
        const fresh = await freshEntries(statements, entries, { asksForAll: asksFirst, places });
        const linked = fresh.map((entry) => linkedBy(cursor, entry));
        const { count, sequence } = await putEvents(statements, linked, places);
        if (cursor === undefined || live === undefined) return;
        if (count !== linked.length) {
          problems.hasKnown = true;
          throw new ProxyError('store_unavailable', 'An event of a batch is stored already.');
        }
        if (count > 0) cursor.sequence = sequence;
        problems.isLost = await hasGoneBack(statements, live, cursor);
        if (problems.isLost)
          throw new ProxyError('store_unavailable', 'The chain of the audit is another one.');
      });
    });
    if (cursor !== undefined) live?.advance(cursor);
    return result;
  }

  /** The chain that cuts are signed by; undefined before `begin`. */
  ready(): Promise<LiveChain | undefined> {
    return this.#inTurn(() => this.#ready());
  }

  async signHead(): Promise<void> {
    await this.#inTurn(async () => {
      const signer = this.#signer;
      if (signer === undefined) return;
      const nowMs = Date.now();
      this.#memory.look(await latestOpening(this.#database), signer.publicKeys);
      // At once: the key of before is gone soon.
      if (this.#memory.hasOtherKey(signer)) await this.#ready();
      const live = this.#live;
      if (live !== undefined) await this.#sign(live, nowMs, isTooOld(live.openedMs, nowMs));
    });
  }

  async end(): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#live !== undefined) await this.#sign(this.#live, Date.now(), true);
    });
  }

  async #sign(live: LiveChain, nowMs: number, isLast: boolean): Promise<void> {
    const due = live.head(nowMs, isLast);
    if (isLast) {
      this.#live = undefined;
      this.#memory.ended(live.witness);
    }
    if (due === undefined) return;
    const { head, signed } = due;
    await this.#database.run(
      `INSERT INTO audit_head (chain, link, is_last, statement, signature) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (chain, link) DO UPDATE SET
         is_last = excluded.is_last, statement = excluded.statement, signature = excluded.signature`,
      [head.number, head.link, isLast ? 1 : 0, signed.statement, signed.signature],
    );
    live.signed(head);
  }

  /** In the transaction that removed them. */
  async sayCut(statements: Statements, live: LiveChain, removed: readonly RemovedRun[]): Promise<void> {
    for (const { number, first, last } of touchedBy(removed)) {
      const rows = await statements.all(
        `SELECT chain AS number, first, last, signed_by, statement, signature FROM audit_cut
         WHERE chain = $1 AND first <= $2 AND last >= $3 AND ${isReadableCut} ORDER BY first`,
        [number, last, first],
      );
      const stored = rows.map(cutRowOf);
      const openings = await this.#trustedNow(statements, live);
      const isKnown = (by: number): boolean => by === live.number || openings.has(by);
      if (!stored.every(({ by }) => isKnown(by)))
        requireKnownSigners(stored, await openingsOf(statements), isKnown);
      const changes = cutChanges(
        { cuts: stored, heads: await headsWithin(statements, { number, first, last }) },
        removed.filter((one) => one.number === number),
        {
          by: live.number,
          key: live.key,
          keyOf: (by) => (by === live.number ? live.key : openings.get(by)?.key),
          seenOf: (of) => [...seenIn(openings, of), ...(of === live.number ? [live.witness] : [])],
        },
      );
      for (const row of changes.gone)
        await statements.run('DELETE FROM audit_cut WHERE chain = $1 AND first = $2', [
          row.number,
          row.first,
        ]);
      for (const row of changes.put) await putCut(statements, row);
      if (changes.headsGone.length > 0)
        await statements.run('DELETE FROM audit_head WHERE chain = $1 AND link = ANY ($2::bigint[])', [
          number,
          changes.headsGone,
        ]);
    }
  }

  /** Where something else is known of a stretch of a chain than its events say. */
  async bordersOf(
    statements: Statements,
    live: LiveChain,
    { number, first, last }: Touched,
  ): Promise<ChainBorders> {
    const heads = await statements.all(
      'SELECT link FROM audit_head WHERE chain = $1 AND link BETWEEN $2 AND $3',
      [number, first, last],
    );
    // Ours follow each other: the one that the stretch begins in, and those that begin in it.
    const cuts = await statements.all(
      `SELECT first, last, statement FROM audit_cut
       WHERE chain = $1 AND first <= $3 AND last >= $2 AND ${isReadableCut}
         AND first >= coalesce((SELECT max(first) FROM audit_cut WHERE chain = $1 AND first <= $2), 0)
       ORDER BY first LIMIT 2`,
      [number, first, last],
    );
    const openings = await this.#trustedNow(statements, live);
    const seen = [...seenIn(openings, number), ...(number === live.number ? [live.witness] : [])];
    return {
      links: new Set([...heads.map((row) => integerOf(row, 'link')), ...seen.map(({ link }) => link)]),
      // With more than one somebody put them there: each link stands alone.
      gone: cuts.length > 1 ? [{ first, last }] : cuts.flatMap(goneOf),
    };
  }

  /** Read again once there are more, or other keys. */
  async #trustedNow(statements: Statements, live: LiveChain): Promise<ReadonlyMap<number, TrustedOpening>> {
    const row = await statements.get('SELECT coalesce(max(number), 0) AS latest FROM audit_chain');
    const latest = row === undefined ? 0 : integerOf(row, 'latest');
    const identityKeys = this.#signer?.publicKeys ?? [];
    if (latest > this.#latest || !areSameKeys(identityKeys, this.#believed))
      this.#keys = trustedOpenings(await openingsOf(statements), identityKeys, [live.opening]);
    this.#latest = Math.max(latest, this.#latest);
    this.#believed = identityKeys;
    return this.#keys;
  }

  async #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const done = Promise.withResolvers<void>();
    this.#turn = done.promise;
    try {
      await before;
      return await action();
    } finally {
      done.resolve();
    }
  }

  async #ready(): Promise<LiveChain | undefined> {
    const signer = this.#signer;
    if (signer === undefined) return undefined;
    const nowMs = Date.now();
    if (this.#live !== undefined) {
      if (!this.#memory.hasOtherKey(signer) && !isTooOld(this.#live.openedMs, nowMs)) return this.#live;
      await this.#sign(this.#live, nowMs, true);
    }
    const facts = await this.#database.transaction(async (statements) => {
      await lockAudit(statements);
      const latest = await latestOpening(statements);
      const openings = trustedOpenings(await openingsOf(statements), signer.publicKeys, this.#memory.known);
      const top = await firstWithin((await partRanges(statements)).toReversed(), (range) =>
        statements.get(
          `SELECT ${placeWithin('least', 'greatest')}, ${removedColumns} FROM audit
           WHERE audit.sequence >= $1 AND audit.sequence < $2 ORDER BY audit.sequence DESC LIMIT 1`,
          range,
        ),
      );
      const link = top === undefined ? undefined : removedLinkOf(top);
      const opened = openChain(
        signer,
        {
          latest,
          sequence: top === undefined ? 0 : integerOf(top, 'sequence'),
          top: link === undefined ? undefined : witnessOf(link),
          ends: endsOf(openings, await latestHeads(statements, openChains(openings))),
        },
        { nowMs, memory: this.#memory },
      );
      const { number, statement, signature } = opened.opening;
      await statements.run(
        'INSERT INTO audit_chain (number, statement, signature, link) VALUES ($1, $2, $3, 0)',
        [number, statement, signature],
      );
      return opened.facts;
    });
    this.#memory.opened(facts, signer);
    this.#live = new LiveChain(facts);
    return this.#live;
  }
}

/** What a cut says is gone; all of it where that cannot be read. */
function goneOf(row: StoredRow): readonly { readonly first: number; readonly last: number }[] {
  return (
    readCut(textOf(row, 'statement'))?.runs ?? [
      { first: integerOf(row, 'first'), last: integerOf(row, 'last') },
    ]
  );
}

async function latestOpening(statements: Pick<Statements, 'get'>): Promise<OpeningRow | undefined> {
  const row = await statements.get(
    'SELECT number, statement, signature FROM audit_chain ORDER BY number DESC LIMIT 1',
  );
  return row === undefined ? undefined : openingRowOf(row);
}

async function latestHeads(
  statements: Statements,
  numbers: readonly number[],
): Promise<readonly LatestHead[]> {
  const rows = await statements.all(
    `SELECT chain AS number, statement, signature FROM unnest($1::bigint[]) AS asked (number)
     CROSS JOIN LATERAL (SELECT * FROM audit_head WHERE chain = asked.number ORDER BY link DESC LIMIT 1) AS head`,
    [numbers],
  );
  return rows.map(openingRowOf);
}

function linkedBy(cursor: ChainCursor | undefined, entry: AuditEntry): LinkedEntry {
  if (cursor === undefined) return { entry };
  const { number, link, before } = cursor;
  const place = { number, link: link + 1, before };
  cursor.passFacts(entry);
  return { entry, place };
}

/** Whether the store does not have the chain as this process has it in memory. */
async function hasGoneBack(statements: Statements, live: LiveChain, cursor: ChainCursor): Promise<boolean> {
  const moved = await statements.run('UPDATE audit_chain SET link = $2 WHERE number = $1 AND link = $3', [
    live.number,
    cursor.link,
    live.link,
  ]);
  return moved === 0;
}

async function putCut(statements: Statements, row: CutRow): Promise<void> {
  const { number, first, last, by, statement, signature } = row;
  await statements.run(
    `INSERT INTO audit_cut (chain, first, last, signed_by, statement, signature) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (chain, first) DO UPDATE SET last = excluded.last, signed_by = excluded.signed_by,
       statement = excluded.statement, signature = excluded.signature`,
    [number, first, last, by, statement, signature],
  );
}

/** Those in a part of the chain, and the latest one. */
async function headsWithin(
  statements: Statements,
  { number, first, last }: Touched,
): Promise<readonly HeadRow[]> {
  const rows = await statements.all(
    `SELECT link, statement, signature FROM audit_head
     WHERE chain = $1 AND (link BETWEEN $2 AND $3 OR link = (SELECT max(link) FROM audit_head
       WHERE chain = $1 AND link <= ${Number.MAX_SAFE_INTEGER}))
     ORDER BY link`,
    [number, first, last],
  );
  return rows.map(headRowOf);
}
