// The number of the newest change, in PostgreSQL.

import type { ChangeStore } from '../change-store.ts';
import { integerOf } from '../stored-row.ts';
import type { PostgresDatabase } from './postgres-database.ts';

export class PostgresChanges implements ChangeStore {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async newest(): Promise<number> {
    const row = await this.#database.get('SELECT value FROM change_counter');
    return row === undefined ? 0 : integerOf(row, 'value');
  }
}
