// Newest heads of trees that were signed, in SQLite.

import { textOf } from '../stored-row.ts';
import type { TreeHeadStore } from '../tree-head-store.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** The table, as a migration. */
export const treeHeadScript = `
  CREATE TABLE tree_head (
    key TEXT NOT NULL PRIMARY KEY,
    head TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

export class SqliteTreeHeads implements TreeHeadStore {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async find(key: string): Promise<string | undefined> {
    return this.#find(key);
  }

  async advance(key: string, known: string | undefined, next: string): Promise<string> {
    return this.#database.transaction(() => {
      const before = this.#find(key);
      if (before !== undefined && before !== known) return before;
      this.#database.run(
        `INSERT INTO tree_head (key, head) VALUES (:key, :next)
         ON CONFLICT (key) DO UPDATE SET head = excluded.head`,
        { key, next },
      );
      return next;
    });
  }

  #find(key: string): string | undefined {
    const row = this.#database.get('SELECT head FROM tree_head WHERE key = :key', { key });
    return row === undefined ? undefined : textOf(row, 'head');
  }
}
