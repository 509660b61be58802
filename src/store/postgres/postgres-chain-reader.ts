// What is read of the chain of the audit in PostgreSQL, by who verifies it and by who goes on with it.

import {
  type ChainedRow,
  chainedRowOf,
  type ChainReader,
  cutRowOf,
  headRowOf,
  type OpeningRow,
  openingRowOf,
  placeWithin,
  removedColumns,
  type TimeMark,
  timeMarkOf,
} from '../chain/audit-chain.ts';
import type { CutRow, HeadRow } from '../chain/chain-cuts.ts';
import { integerOf, type StoredRow } from '../stored-row.ts';
import { partRanges } from './postgres-audit-parts.ts';
import type { PostgresDatabase, Statements } from './postgres-database.ts';

export class PostgresChainReader implements ChainReader {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  openings(): Promise<readonly OpeningRow[]> {
    return openingsOf(this.#database);
  }

  async heads(number: number, behind: number, limit: number): Promise<readonly HeadRow[]> {
    const rows = await this.#database.all(
      `SELECT ${placeWithin('least', 'greatest', 'link')}, statement, signature FROM audit_head
       WHERE chain = $1 AND audit_head.link > $2 ORDER BY audit_head.link LIMIT $3`,
      [number, behind, limit],
    );
    return rows.map(headRowOf);
  }

  async latestHead(number: number, before?: number): Promise<HeadRow | undefined> {
    const row = await this.#database.get(
      `SELECT ${placeWithin('least', 'greatest', 'link')}, statement, signature FROM audit_head
       WHERE chain = $1 AND ($2::bigint IS NULL OR audit_head.link < $2) ORDER BY audit_head.link DESC LIMIT 1`,
      [number, before ?? null],
    );
    return row === undefined ? undefined : headRowOf(row);
  }

  async cut(number: number, link: number): Promise<CutRow | undefined> {
    const row = await this.#database.get(
      `SELECT chain AS number, first, last, signed_by, statement, signature FROM audit_cut
       WHERE chain = $1 AND last >= $2
         AND first >= coalesce((SELECT max(first) FROM audit_cut WHERE chain = $1 AND first <= $2), 0)
       ORDER BY first LIMIT 1`,
      [number, link],
    );
    return row === undefined ? undefined : cutRowOf(row);
  }

  async rows(behind: number, limit: number): Promise<readonly ChainedRow[]> {
    const rows: StoredRow[] = [];
    for (const [from, below] of await partRanges(this.#database, behind + 1)) {
      rows.push(
        ...(await this.#database.all(
          `SELECT ${placeWithin('least', 'greatest')}, ${removedColumns}, host, principal, trace FROM audit
           WHERE audit.sequence >= $1 AND audit.sequence < $2 ORDER BY audit.sequence LIMIT $3`,
          [from, below, limit - rows.length],
        )),
      );
      if (rows.length >= limit) break;
    }
    return rows.map(chainedRowOf);
  }

  async marks(behind: number, limit: number): Promise<readonly TimeMark[]> {
    const rows = await this.#database.all(
      `SELECT ${placeWithin('least', 'greatest')}, ${placeWithin('least', 'greatest', 'high_ms')} FROM audit_mark
       WHERE audit_mark.sequence > $1 ORDER BY audit_mark.sequence LIMIT $2`,
      [behind, limit],
    );
    return rows.map(timeMarkOf);
  }

  async laterThan({ sequence, highMs }: TimeMark): Promise<number | undefined> {
    const row = await this.#database.get(
      `SELECT ${placeWithin('least', 'greatest')} FROM audit WHERE audit.sequence <= $1 AND time_ms > $2
       ORDER BY audit.sequence LIMIT 1`,
      [sequence, highMs],
    );
    return row === undefined ? undefined : integerOf(row, 'sequence');
  }
}

export async function openingsOf(statements: Pick<Statements, 'all'>): Promise<readonly OpeningRow[]> {
  const rows = await statements.all('SELECT number, statement, signature FROM audit_chain ORDER BY number');
  return rows.map(openingRowOf);
}
