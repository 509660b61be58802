// Tokens for the admin API in SQLite.

import type { OperatorStore, OperatorToken, StoredOperatorToken } from '../operator-store.ts';
import { pruneBatch } from '../store.ts';
import { jsonOrNull, operatorTokenOf, usedStepMs } from '../operator-row.ts';
import { integerOf } from '../stored-row.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

export class SqliteOperators implements OperatorStore {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async add(
    token: OperatorToken,
    { operatorTokensMax: max }: { readonly operatorTokensMax: number },
  ): Promise<boolean> {
    const { sees, logIn, ...rest } = token;
    return this.#database.transaction(() => {
      const row = this.#database.get(
        `SELECT count(*) AS count FROM operator_token
         WHERE revoked_ms IS NULL AND expires_ms > :nowMs AND (log_in IS NOT NULL) = :isLogIn`,
        { nowMs: token.createdMs, isLogIn: logIn === undefined ? 0 : 1 },
      );
      if (row === undefined || integerOf(row, 'count') >= max) return false;
      this.#database.run(
        `INSERT INTO operator_token (id, digest, name, role, sees, created_ms, created_by, expires_ms, log_in)
         VALUES (:id, :digest, :name, :role, :sees, :createdMs, :createdBy, :expiresMs, :logIn)`,
        { ...rest, sees: jsonOrNull(sees), logIn: jsonOrNull(logIn) },
      );
      return true;
    });
  }

  async byDigest(digest: string): Promise<StoredOperatorToken | undefined> {
    const row = this.#database.get('SELECT * FROM operator_token WHERE digest = :digest', { digest });
    return row === undefined ? undefined : operatorTokenOf(row);
  }

  async find(id: string): Promise<StoredOperatorToken | undefined> {
    const row = this.#database.get('SELECT * FROM operator_token WHERE id = :id', { id });
    return row === undefined ? undefined : operatorTokenOf(row);
  }

  async list(nowMs: number): Promise<readonly StoredOperatorToken[]> {
    return this.#database
      .all(
        `SELECT * FROM operator_token WHERE revoked_ms IS NULL AND expires_ms > :nowMs
         ORDER BY created_ms DESC, id DESC`,
        { nowMs },
      )
      .map(operatorTokenOf);
  }

  async revoke(id: string, nowMs: number): Promise<boolean> {
    return (
      this.#database.run(
        'UPDATE operator_token SET revoked_ms = :nowMs WHERE id = :id AND revoked_ms IS NULL',
        { id, nowMs },
      ) > 0
    );
  }

  async used(id: string, nowMs: number): Promise<void> {
    this.#database.run(
      'UPDATE operator_token SET used_ms = :nowMs WHERE id = :id AND (used_ms IS NULL OR used_ms < :step)',
      { id, nowMs, step: nowMs - usedStepMs },
    );
  }

  async prune(beforeMs: number): Promise<number> {
    return this.#database.run(
      `DELETE FROM operator_token WHERE id IN (
         SELECT id FROM operator_token WHERE min(expires_ms, coalesce(revoked_ms, expires_ms)) < :beforeMs LIMIT :batch)`,
      { beforeMs, batch: pruneBatch },
    );
  }
}
