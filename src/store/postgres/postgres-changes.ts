// The number of the newest change, in PostgreSQL.

import { DatabaseError } from 'pg';
import { ProxyError } from '../../protocol/error.ts';
import type { ChangePlace, ChangeStore } from '../change-store.ts';
import { fillingTable, notFilled } from '../portable/unfit-store.ts';
import { integerOf, type StoredRow, textOf } from '../stored-row.ts';
import type { PostgresDatabase } from './postgres-database.ts';

/** Whether it is to be filled: who opened it while it was empty has seen no mark, and has to stop. */
const counterSql = `SELECT value, to_regclass('${fillingTable}') IS NOT NULL AS is_marked FROM change_counter`;
/** The timeline, which is another one behind each promotion and each recovery to a point in time; and which database it is. */
const placeSql = `SELECT value, to_regclass('${fillingTable}') IS NOT NULL AS is_marked, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
    || ' ' || (SELECT system_identifier FROM pg_control_system())
    || ' ' || (SELECT oid FROM pg_database WHERE datname = current_database()) AS history
  FROM change_counter`;

export class PostgresChanges implements ChangeStore {
  readonly #database: PostgresDatabase;
  #isSilent = false;
  #hasSpoken = false;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async newest(): Promise<number> {
    const row = filled(await this.#database.get(counterSql));
    return row === undefined ? 0 : integerOf(row, 'value');
  }

  async place(): Promise<ChangePlace> {
    if (!this.#isSilent)
      try {
        const row = filled(await this.#database.get(placeSql));
        this.#hasSpoken = true;
        if (row !== undefined) return { history: textOf(row, 'history'), number: integerOf(row, 'value') };
      } catch (error) {
        // Some services have no such functions, or not for everybody: the number alone tells then. A server that had them and refuses once
        // has no other history for that.
        if (this.#hasSpoken || !isWithoutHistory(error)) throw error;
        this.#isSilent = true;
      }
    return { history: '', number: await this.newest() };
  }
}

/** Not supported, no right to it, no such function (PostgreSQL, appendix A). */
const withoutHistory: ReadonlySet<string | undefined> = new Set(['0A000', '42501', '42883']);

function isWithoutHistory(error: unknown): boolean {
  const cause = error instanceof ProxyError ? error.cause : undefined;
  return cause instanceof DatabaseError && withoutHistory.has(cause.code);
}

/** @throws ProxyError store_unavailable where the store is marked as one that is to be filled */
function filled(row: StoredRow | undefined): StoredRow | undefined {
  if (row?.['is_marked'] === true) throw notFilled();
  return row;
}
