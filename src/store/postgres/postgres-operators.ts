// Tokens for the admin API in PostgreSQL.

import { jsonOrNull, operatorTokenOf, usedStepMs } from '../operator-row.ts';
import type { OperatorStore, OperatorToken, StoredOperatorToken } from '../operator-store.ts';
import { pruneBatch } from '../store.ts';
import { integerOf } from '../stored-row.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import { lock } from './postgres-lock.ts';

const columns =
  'id, digest, name, role, sees, created_ms, created_by, expires_ms, used_ms, revoked_ms, log_in';

export class PostgresOperators implements OperatorStore {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  add(
    token: OperatorToken,
    { operatorTokensMax: max }: { readonly operatorTokensMax: number },
  ): Promise<boolean> {
    const { id, digest, name, role, sees, createdMs, createdBy, expiresMs, logIn } = token;
    return this.#database.transaction(async (statements) => {
      await lock(statements, 'operators', '');
      const row = await statements.get(
        `SELECT count(*) AS count FROM operator_token
         WHERE revoked_ms IS NULL AND expires_ms > $1 AND (log_in IS NOT NULL) = $2`,
        [createdMs, logIn !== undefined],
      );
      if (row === undefined || integerOf(row, 'count') >= max) return false;
      await statements.run(
        `INSERT INTO operator_token (id, digest, name, role, sees, created_ms, created_by, expires_ms, log_in)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
        [id, digest, name, role, jsonOrNull(sees), createdMs, createdBy, expiresMs, jsonOrNull(logIn)],
      );
      return true;
    });
  }

  async byDigest(digest: string): Promise<StoredOperatorToken | undefined> {
    const row = await this.#database.get(`SELECT ${columns} FROM operator_token WHERE digest = $1`, [digest]);
    return row === undefined ? undefined : operatorTokenOf(row);
  }

  async find(id: string): Promise<StoredOperatorToken | undefined> {
    const row = await this.#database.get(`SELECT ${columns} FROM operator_token WHERE id = $1`, [id]);
    return row === undefined ? undefined : operatorTokenOf(row);
  }

  async list(nowMs: number): Promise<readonly StoredOperatorToken[]> {
    const rows = await this.#database.all(
      `SELECT ${columns} FROM operator_token WHERE revoked_ms IS NULL AND expires_ms > $1
       ORDER BY created_ms DESC, id DESC`,
      [nowMs],
    );
    return rows.map(operatorTokenOf);
  }

  async revoke(id: string, nowMs: number): Promise<boolean> {
    const changed = await this.#database.run(
      'UPDATE operator_token SET revoked_ms = $2 WHERE id = $1 AND revoked_ms IS NULL',
      [id, nowMs],
    );
    return changed > 0;
  }

  async used(id: string, nowMs: number): Promise<void> {
    await this.#database.run(
      'UPDATE operator_token SET used_ms = $2 WHERE id = $1 AND (used_ms IS NULL OR used_ms < $3)',
      [id, nowMs, nowMs - usedStepMs],
    );
  }

  prune(beforeMs: number): Promise<number> {
    return this.#database.run(
      `DELETE FROM operator_token WHERE id IN (SELECT id FROM operator_token
         WHERE least(expires_ms, revoked_ms) < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`,
      [beforeMs, pruneBatch],
    );
  }
}
