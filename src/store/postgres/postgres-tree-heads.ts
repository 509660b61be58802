// Newest heads of trees that were signed, in PostgreSQL.

import { textOf } from '../stored-row.ts';
import type { TreeHeadStore } from '../tree-head-store.ts';
import type { PostgresDatabase } from './postgres-database.ts';

/** The table, as a migration. */
export const treeHeadScript = `
  CREATE TABLE tree_head (
    key text COLLATE "C" NOT NULL PRIMARY KEY,
    head text NOT NULL
  );
`;

export class PostgresTreeHeads implements TreeHeadStore {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async find(key: string): Promise<string | undefined> {
    const row = await this.#database.get('SELECT head FROM tree_head WHERE key = $1', [key]);
    return row === undefined ? undefined : textOf(row, 'head');
  }

  async advance(key: string, known: string | undefined, next: string): Promise<string> {
    const changed = await this.#database.run(
      `INSERT INTO tree_head AS own (key, head) VALUES ($1, $3)
       ON CONFLICT (key) DO UPDATE SET head = excluded.head WHERE own.head = $2`,
      [key, known ?? null, next],
    );
    // One that is gone meanwhile is as one that was never there.
    return changed > 0 ? next : ((await this.find(key)) ?? next);
  }
}
