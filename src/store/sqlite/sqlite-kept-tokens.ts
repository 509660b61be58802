// Kept tokens in SQLite. The clock is that of the machine, which all processes on a file have in common.

import { keptTokenOf, keptTokenRead } from '../kept-token-row.ts';
import type {
  KeptClaim,
  KeptClaimOutcome,
  KeptKey,
  KeptSessionWrite,
  KeptToken,
  KeptTokenStore,
  KeptWrite,
} from '../kept-token-store.ts';
import { integerOf, textOf } from '../stored-row.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** The tables, as a migration. */
export const keptTokenScript = `
  CREATE TABLE kept_token (
    id TEXT PRIMARY KEY,
    session_id TEXT,
    version INTEGER NOT NULL,
    sealed TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('held', 'refused')),
    word TEXT,
    ends_ms INTEGER,
    changed_ms INTEGER NOT NULL,
    claimed_by TEXT,
    claim_until_ms INTEGER,
    attempts INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX kept_token_by_session ON kept_token (session_id) WHERE session_id IS NOT NULL;
  -- The key of these rows, sealed with keys that are not here.
  CREATE TABLE kept_key (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL,
    document TEXT NOT NULL
  ) STRICT;
`;

const nowMs = `CAST(unixepoch('subsec') * 1000 AS INTEGER)`;
const columns = `id, session_id, version, substr(sealed, 1, ${keptTokenRead}) AS sealed, state, word, ends_ms - ${nowMs} AS lifetime_ms,
  ${nowMs} - changed_ms AS age_ms, CASE WHEN claim_until_ms > ${nowMs} THEN claimed_by END AS claimed_by, attempts`;
const unclaimed = 'claimed_by = NULL, claim_until_ms = NULL, attempts = 0';

export class SqliteKeptTokens implements KeptTokenStore {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async read(id: string): Promise<KeptToken | undefined> {
    const row = this.#database.get(`SELECT ${columns} FROM kept_token WHERE id = :id`, { id });
    return row === undefined ? undefined : keptTokenOf(row);
  }

  async list(limit: number): Promise<readonly KeptToken[]> {
    return this.#database
      .all(`SELECT ${columns} FROM kept_token ORDER BY id LIMIT :limit`, { limit })
      .map(keptTokenOf);
  }

  async put(id: string, { sealed, lifetimeMs }: KeptWrite): Promise<number> {
    const row = this.#database.get(
      `INSERT INTO kept_token (id, session_id, version, sealed, state, ends_ms, changed_ms, attempts)
       VALUES (:id, NULL, 1, :sealed, 'held', ${nowMs} + :lifetimeMs, ${nowMs}, 0)
       ON CONFLICT (id) DO UPDATE SET session_id = excluded.session_id, version = version + 1, sealed = excluded.sealed,
         state = 'held', word = NULL, ends_ms = excluded.ends_ms, changed_ms = excluded.changed_ms, ${unclaimed}
       RETURNING version`,
      { id, sealed, lifetimeMs: lifetimeMs ?? null },
    );
    return row === undefined ? 0 : integerOf(row, 'version');
  }

  async putOfSession(id: string, { sealed, lifetimeMs, sessionId, max }: KeptSessionWrite): Promise<boolean> {
    return this.#database.transaction(() => {
      const count = 'SELECT count(*) AS kept FROM kept_token WHERE session_id = :sessionId';
      this.#database.run(
        `DELETE FROM kept_token WHERE id IN (
           SELECT id FROM kept_token WHERE session_id = :sessionId AND ends_ms IS NOT NULL ORDER BY ends_ms, id
           LIMIT max(0, (${count}) + 1 - :max))`,
        { sessionId, max },
      );
      const row = this.#database.get(count, { sessionId });
      if (row === undefined || integerOf(row, 'kept') >= max) return false;
      this.#database.run(
        `INSERT INTO kept_token (id, session_id, version, sealed, state, ends_ms, changed_ms, attempts)
         VALUES (:id, :sessionId, 1, :sealed, 'held', ${nowMs} + :lifetimeMs, ${nowMs}, 0)`,
        { id, sealed, lifetimeMs: lifetimeMs ?? null, sessionId },
      );
      return true;
    });
  }

  async claim(id: string, { version, holderId, claimMs }: KeptClaim): Promise<KeptClaimOutcome> {
    return this.#database.transaction((): KeptClaimOutcome => {
      const row = this.#database.get(
        `SELECT attempts, claimed_by IS NOT NULL AS is_left, claim_until_ms IS NOT NULL AND claim_until_ms > ${nowMs} AS is_taken FROM kept_token
         WHERE id = :id AND version = :version AND state = 'held'`,
        { id, version },
      );
      if (row === undefined) return { kind: 'changed' };
      if (integerOf(row, 'is_taken') === 1) return { kind: 'taken' };
      this.#database.run(
        `UPDATE kept_token SET claimed_by = :holderId, claim_until_ms = ${nowMs} + :claimMs, attempts = attempts + 1
         WHERE id = :id`,
        { id, holderId, claimMs },
      );
      return {
        kind: 'claimed',
        attempts: integerOf(row, 'attempts'),
        isLeft: integerOf(row, 'is_left') === 1,
      };
    });
  }

  async letGo(
    id: string,
    { version, holderId, isSent }: Parameters<KeptTokenStore['letGo']>[1],
  ): Promise<void> {
    this.#database.run(
      `UPDATE kept_token SET claimed_by = NULL, claim_until_ms = NULL, attempts = max(0, attempts - :less)
       WHERE id = :id AND version = :version AND claimed_by = :holderId`,
      { id, version, holderId, less: isSent ? 0 : 1 },
    );
  }

  async commit(
    id: string,
    { version, sealed, lifetimeMs }: KeptWrite & { readonly version: number },
  ): Promise<boolean> {
    const changed = this.#database.run(
      `UPDATE kept_token SET version = version + 1, sealed = :sealed, state = 'held', word = NULL,
         ends_ms = ${nowMs} + :lifetimeMs, changed_ms = ${nowMs}, ${unclaimed}
       WHERE id = :id AND version = :version`,
      { id, version, sealed, lifetimeMs: lifetimeMs ?? null },
    );
    return changed > 0;
  }

  async refuse(id: string, { version, word }: Parameters<KeptTokenStore['refuse']>[1]): Promise<boolean> {
    const changed = this.#database.run(
      `UPDATE kept_token SET version = version + 1, state = 'refused', word = :word, changed_ms = ${nowMs}, ${unclaimed}
       WHERE id = :id AND version = :version AND state = 'held'`,
      { id, version, word },
    );
    return changed > 0;
  }

  async forget(id: string): Promise<boolean> {
    return this.#database.run('DELETE FROM kept_token WHERE id = :id', { id }) > 0;
  }

  async forgetSession(sessionId: string): Promise<number> {
    return this.#database.run('DELETE FROM kept_token WHERE session_id = :sessionId', { sessionId });
  }

  async ofSession(sessionId: string, limit: number): Promise<readonly KeptToken[]> {
    return this.#database
      .all(`SELECT ${columns} FROM kept_token WHERE session_id = :sessionId ORDER BY id LIMIT :limit`, {
        sessionId,
        limit,
      })
      .map(keptTokenOf);
  }

  async sessionsOver(limit: number): Promise<readonly string[]> {
    return this.#database
      .all(
        `SELECT DISTINCT session_id FROM kept_token WHERE session_id IS NOT NULL AND NOT EXISTS
           (SELECT 1 FROM session WHERE session.id = kept_token.session_id AND session.state IN ('enrolled', 'committed'))
         ORDER BY session_id LIMIT :limit`,
        { limit },
      )
      .map((row) => textOf(row, 'session_id'));
  }

  async readKey(): Promise<KeptKey | undefined> {
    const row = this.#database.get(
      `SELECT version, substr(document, 1, ${keptTokenRead}) AS document FROM kept_key WHERE one = 1`,
      {},
    );
    return row === undefined
      ? undefined
      : { version: integerOf(row, 'version'), document: textOf(row, 'document') };
  }

  async writeKey(document: string, version: number): Promise<boolean> {
    const sql =
      version === 0
        ? 'INSERT INTO kept_key (one, version, document) VALUES (1, :version + 1, :document) ON CONFLICT DO NOTHING'
        : 'UPDATE kept_key SET version = :version + 1, document = :document WHERE one = 1 AND version = :version';
    return this.#database.run(sql, { document, version }) > 0;
  }
}
