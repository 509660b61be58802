// The number of the newest change, in PostgreSQL.

import { ProxyError } from '../../protocol/error.ts';
import type { ChangePlace, ChangeStore } from '../change-store.ts';
import { integerOf, textOf } from '../stored-row.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import { isStatementFault } from './postgres-fault.ts';

/** The timeline, which is another one behind each promotion and each recovery to a point in time; and which database it is. */
const placeSql = `SELECT value, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
    || ' ' || (SELECT system_identifier FROM pg_control_system())
    || ' ' || (SELECT oid FROM pg_database WHERE datname = current_database()) AS history
  FROM change_counter`;

export class PostgresChanges implements ChangeStore {
  readonly #database: PostgresDatabase;
  #isSilent = false;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async newest(): Promise<number> {
    const row = await this.#database.get('SELECT value FROM change_counter');
    return row === undefined ? 0 : integerOf(row, 'value');
  }

  async place(): Promise<ChangePlace> {
    if (!this.#isSilent)
      try {
        const row = await this.#database.get(placeSql);
        if (row !== undefined) return { history: textOf(row, 'history'), number: integerOf(row, 'value') };
      } catch (error) {
        // Some services have no such functions, or not for everybody: the number alone tells then.
        if (!(error instanceof ProxyError && isStatementFault(error.cause))) throw error;
        this.#isSilent = true;
      }
    return { history: '', number: await this.newest() };
  }
}
