// Ids that sessions were told, in PostgreSQL. The rows go with their session.

import type { KnownIdBounds, KnownIdStore } from '../known-id-store.ts';
import { textOf } from '../stored-row.ts';
import { isLiving } from './postgres-budgets.ts';
import type { PostgresDatabase } from './postgres-database.ts';

/** The table, as a migration. What all sessions of a principal took of one budget is added up by its name, which gets an index. */
export const knownIdsScript = `
  CREATE TABLE session_known_id (
    session_id text COLLATE "C" NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    digest text COLLATE "C" NOT NULL,
    told_ms bigint NOT NULL,
    PRIMARY KEY (session_id, digest)
  );
  CREATE INDEX session_budget_by_name ON session_budget (budget);
`;

export class PostgresKnownIds implements KnownIdStore {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  learn(sessionId: string, digests: readonly string[], { nowMs, max }: KnownIdBounds): Promise<void> {
    return this.#database.transaction(async (statements) => {
      if (!(await isLiving(statements, sessionId))) return;
      await statements.run(
        `INSERT INTO session_known_id (session_id, digest, told_ms)
         SELECT $1, one, $3 FROM unnest($2::text[]) AS one
         ON CONFLICT (session_id, digest) DO UPDATE SET told_ms = excluded.told_ms`,
        [sessionId, [...new Set(digests)], nowMs],
      );
      await statements.run(
        `DELETE FROM session_known_id WHERE session_id = $1 AND digest IN (
           SELECT digest FROM session_known_id WHERE session_id = $1 ORDER BY told_ms DESC, digest OFFSET $2)`,
        [sessionId, max],
      );
    });
  }

  async toldTo(sessionId: string): Promise<readonly string[]> {
    const rows = await this.#database.all(
      'SELECT digest FROM session_known_id WHERE session_id = $1 ORDER BY told_ms, digest DESC',
      [sessionId],
    );
    return rows.map((row) => textOf(row, 'digest'));
  }

  async forget(sessionId: string): Promise<void> {
    await this.#database.run('DELETE FROM session_known_id WHERE session_id = $1', [sessionId]);
  }
}
