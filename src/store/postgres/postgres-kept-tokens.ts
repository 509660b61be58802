// Kept tokens in PostgreSQL. All times are by the clock of the database.

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
import type { PostgresDatabase } from './postgres-database.ts';
import { lock } from './postgres-lock.ts';

/** The tables, as a migration. */
export const keptTokenScript = `
  CREATE TABLE kept_token (
    id text COLLATE "C" PRIMARY KEY,
    session_id text COLLATE "C",
    version bigint NOT NULL,
    sealed text NOT NULL,
    state text NOT NULL CHECK (state IN ('held', 'refused')),
    word text,
    ends_ms bigint,
    changed_ms bigint NOT NULL,
    claimed_by text,
    claim_until_ms bigint,
    attempts bigint NOT NULL
  );
  CREATE INDEX kept_token_by_session ON kept_token (session_id) WHERE session_id IS NOT NULL;
  -- The key of these rows, sealed with keys that are not here.
  CREATE TABLE kept_key (
    one integer PRIMARY KEY CHECK (one = 1),
    version bigint NOT NULL,
    document text NOT NULL
  );
`;

const nowMs = `(extract(epoch FROM clock_timestamp()) * 1000)::bigint`;
const columns = `id, session_id, version, left(sealed, ${keptTokenRead}) AS sealed, state, word, ends_ms - ${nowMs} AS lifetime_ms,
  ${nowMs} - changed_ms AS age_ms, CASE WHEN claim_until_ms > ${nowMs} THEN claimed_by END AS claimed_by, attempts`;
const unclaimed = 'claimed_by = NULL, claim_until_ms = NULL, attempts = 0';

export class PostgresKeptTokens implements KeptTokenStore {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async read(id: string): Promise<KeptToken | undefined> {
    const row = await this.#database.get(`SELECT ${columns} FROM kept_token WHERE id = $1`, [id]);
    return row === undefined ? undefined : keptTokenOf(row);
  }

  async list(limit: number): Promise<readonly KeptToken[]> {
    const rows = await this.#database.all(`SELECT ${columns} FROM kept_token ORDER BY id LIMIT $1`, [limit]);
    return rows.map(keptTokenOf);
  }

  async put(id: string, { sealed, lifetimeMs }: KeptWrite): Promise<number> {
    const row = await this.#database.get(
      `INSERT INTO kept_token AS kept (id, session_id, version, sealed, state, ends_ms, changed_ms, attempts)
       VALUES ($1, NULL, 1, $2, 'held', ${nowMs} + $3::bigint, ${nowMs}, 0)
       ON CONFLICT (id) DO UPDATE SET session_id = excluded.session_id, version = kept.version + 1, sealed = excluded.sealed,
         state = 'held', word = NULL, ends_ms = excluded.ends_ms, changed_ms = excluded.changed_ms, ${unclaimed}
       RETURNING version`,
      [id, sealed, lifetimeMs ?? null],
    );
    return row === undefined ? 0 : integerOf(row, 'version');
  }

  putOfSession(id: string, { sealed, lifetimeMs, sessionId, max }: KeptSessionWrite): Promise<boolean> {
    return this.#database.transaction(async (statements) => {
      const count = 'SELECT count(*) AS kept FROM kept_token WHERE session_id = $1';
      // Two gateways that write at once would both find room.
      await lock(statements, 'keptTokens', sessionId);
      await statements.run(
        `DELETE FROM kept_token WHERE id IN (
           SELECT id FROM kept_token WHERE session_id = $1 AND ends_ms IS NOT NULL ORDER BY ends_ms, id
           LIMIT greatest(0, (${count}) + 1 - $2::bigint))`,
        [sessionId, max],
      );
      const row = await statements.get(count, [sessionId]);
      if (row === undefined || integerOf(row, 'kept') >= max) return false;
      await statements.run(
        `INSERT INTO kept_token (id, session_id, version, sealed, state, ends_ms, changed_ms, attempts)
         VALUES ($1, $2, 1, $3, 'held', ${nowMs} + $4::bigint, ${nowMs}, 0)`,
        [id, sessionId, sealed, lifetimeMs ?? null],
      );
      return true;
    });
  }

  claim(id: string, { version, holderId, claimMs }: KeptClaim): Promise<KeptClaimOutcome> {
    return this.#database.transaction(async (statements): Promise<KeptClaimOutcome> => {
      const row = await statements.get(
        `SELECT attempts, (claimed_by IS NOT NULL)::int AS is_left, (claim_until_ms IS NOT NULL AND claim_until_ms > ${nowMs})::int AS is_taken FROM kept_token
         WHERE id = $1 AND version = $2 AND state = 'held' FOR UPDATE`,
        [id, version],
      );
      if (row === undefined) return { kind: 'changed' };
      if (integerOf(row, 'is_taken') === 1) return { kind: 'taken' };
      await statements.run(
        `UPDATE kept_token SET claimed_by = $2, claim_until_ms = ${nowMs} + $3::bigint, attempts = attempts + 1 WHERE id = $1`,
        [id, holderId, claimMs],
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
    await this.#database.run(
      `UPDATE kept_token SET claimed_by = NULL, claim_until_ms = NULL, attempts = greatest(0, attempts - $4::bigint)
       WHERE id = $1 AND version = $2 AND claimed_by = $3`,
      [id, version, holderId, isSent ? 0 : 1],
    );
  }

  async commit(
    id: string,
    { version, sealed, lifetimeMs }: KeptWrite & { readonly version: number },
  ): Promise<boolean> {
    const changed = await this.#database.run(
      `UPDATE kept_token SET version = version + 1, sealed = $3, state = 'held', word = NULL,
         ends_ms = ${nowMs} + $4::bigint, changed_ms = ${nowMs}, ${unclaimed}
       WHERE id = $1 AND version = $2`,
      [id, version, sealed, lifetimeMs ?? null],
    );
    return changed > 0;
  }

  async refuse(id: string, { version, word }: Parameters<KeptTokenStore['refuse']>[1]): Promise<boolean> {
    const changed = await this.#database.run(
      `UPDATE kept_token SET version = version + 1, state = 'refused', word = $3, changed_ms = ${nowMs}, ${unclaimed}
       WHERE id = $1 AND version = $2 AND state = 'held'`,
      [id, version, word],
    );
    return changed > 0;
  }

  async forget(id: string): Promise<boolean> {
    return (await this.#database.run('DELETE FROM kept_token WHERE id = $1', [id])) > 0;
  }

  forgetSession(sessionId: string): Promise<number> {
    return this.#database.run('DELETE FROM kept_token WHERE session_id = $1', [sessionId]);
  }

  async ofSession(sessionId: string, limit: number): Promise<readonly KeptToken[]> {
    const rows = await this.#database.all(
      `SELECT ${columns} FROM kept_token WHERE session_id = $1 ORDER BY id LIMIT $2`,
      [sessionId, limit],
    );
    return rows.map(keptTokenOf);
  }

  async sessionsOver(limit: number): Promise<readonly string[]> {
    const rows = await this.#database.all(
      `SELECT DISTINCT session_id FROM kept_token WHERE session_id IS NOT NULL AND NOT EXISTS
         (SELECT 1 FROM session WHERE session.id = kept_token.session_id AND session.state IN ('enrolled', 'committed'))
       ORDER BY session_id LIMIT $1`,
      [limit],
    );
    return rows.map((row) => textOf(row, 'session_id'));
  }

  async readKey(): Promise<KeptKey | undefined> {
    const row = await this.#database.get(
      `SELECT version, left(document, ${keptTokenRead}) AS document FROM kept_key WHERE one = 1`,
      [],
    );
    return row === undefined
      ? undefined
      : { version: integerOf(row, 'version'), document: textOf(row, 'document') };
  }

  async writeKey(document: string, version: number): Promise<boolean> {
    const sql =
      version === 0
        ? 'INSERT INTO kept_key (one, version, document) VALUES (1, $2::bigint + 1, $1) ON CONFLICT DO NOTHING'
        : 'UPDATE kept_key SET version = $2::bigint + 1, document = $1 WHERE one = 1 AND version = $2::bigint';
    return (await this.#database.run(sql, [document, version])) > 0;
  }
}
