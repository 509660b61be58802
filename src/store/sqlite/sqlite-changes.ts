// The number of the newest change, in SQLite: triggers count, so programs of the version before do too.

import type { ChangePlace, ChangeStore } from '../change-store.ts';
import { integerOf } from '../stored-row.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { requireFilled } from './sqlite-migrate.ts';

export class SqliteChanges implements ChangeStore {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async newest(): Promise<number> {
    // Who opened it while it was empty has seen no mark, and has to stop.
    requireFilled(this.#database);
    const row = this.#database.get('SELECT value FROM change_counter');
    return row === undefined ? 0 : integerOf(row, 'value');
  }

  /** A file has one history. */
  async place(): Promise<ChangePlace> {
    return { history: '', number: await this.newest() };
  }
}
