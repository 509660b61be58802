// Consumed tokens in PostgreSQL. Who decides by them holds the token's lock.

import { textOf } from '../stored-row.ts';
import { type EnrolOutcome, type NewSession, type TokenStore, pruneBatch, withdrawnToken } from '../store.ts';
import type { PostgresDatabase, Statements } from './postgres-database.ts';

export class PostgresTokens implements TokenStore {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  consumedBy(tokenKey: string): Promise<string | undefined> {
    return consumerOf(this.#database, tokenKey);
  }

  prune(nowMs: number): Promise<number> {
    return this.#database.run(
      `DELETE FROM consumed_token WHERE token_key IN (SELECT token_key FROM consumed_token
         WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT ${pruneBatch} FOR UPDATE SKIP LOCKED)`,
      [nowMs],
    );
  }
}

/** The session that consumed the token, as the store has it. */
export async function consumerOf(statements: Statements, tokenKey: string): Promise<string | undefined> {
  const row = await statements.get('SELECT session_id FROM consumed_token WHERE token_key = $1', [tokenKey]);
  return row === undefined ? undefined : textOf(row, 'session_id');
}

/** A session that never committed did not consume the token: it was ended, and the token with it. */
export async function refusalOf(statements: Statements, sessionId: string): Promise<EnrolOutcome> {
  if (sessionId === withdrawnToken) return { kind: 'token_withdrawn' };
  const row = await statements.get('SELECT committed_ms FROM session WHERE id = $1', [sessionId]);
  return { kind: row?.['committed_ms'] === null ? 'token_revoked' : 'token_consumed', sessionId };
}

/** The token starts no session from here on. */
export async function useUp(
  statements: Statements,
  { id, tokenKey, tokenExpiresMs }: Pick<NewSession, 'id' | 'tokenKey' | 'tokenExpiresMs'>,
): Promise<void> {
  await statements.run('INSERT INTO consumed_token (token_key, session_id, expires_ms) VALUES ($1, $2, $3)', [
    tokenKey,
    id,
    tokenExpiresMs,
  ]);
}
