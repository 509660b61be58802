// Ids that sessions were told, in SQLite. The rows go with their session.

import type { KnownIdBounds, KnownIdStore } from '../known-id-store.ts';
import { textOf } from '../stored-row.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** The table, as a migration. What all sessions of a principal took of one budget is added up by its name, which gets an index. */
export const knownIdsScript = `
  CREATE TABLE session_known_id (
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    told_ms INTEGER NOT NULL,
    PRIMARY KEY (session_id, digest)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX session_budget_by_name ON session_budget (budget);
`;

export class SqliteKnownIds implements KnownIdStore {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async learn(sessionId: string, digests: readonly string[], { nowMs, max }: KnownIdBounds): Promise<void> {
    this.#database.transaction(() => {
      for (const digest of digests)
        this.#database.run(
          `INSERT INTO session_known_id (session_id, digest, told_ms)
           SELECT id, :digest, :nowMs FROM session WHERE id = :sessionId AND state IN ('enrolled', 'committed')
           ON CONFLICT (session_id, digest) DO UPDATE SET told_ms = excluded.told_ms`,
          { sessionId, digest, nowMs },
        );
      this.#database.run(
        `DELETE FROM session_known_id WHERE session_id = :sessionId AND digest IN (
           SELECT digest FROM session_known_id WHERE session_id = :sessionId
           ORDER BY told_ms DESC, digest LIMIT -1 OFFSET :max)`,
        { sessionId, max },
      );
    });
  }

  async toldTo(sessionId: string): Promise<readonly string[]> {
    const rows = this.#database.all(
      'SELECT digest FROM session_known_id WHERE session_id = :sessionId ORDER BY told_ms, digest DESC',
      { sessionId },
    );
    return rows.map((row) => textOf(row, 'digest'));
  }

  async forget(sessionId: string): Promise<void> {
    this.#database.run('DELETE FROM session_known_id WHERE session_id = :sessionId', { sessionId });
  }
}
