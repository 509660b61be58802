// Proofs that were seen, in SQLite: bounded for each key and in all.

import type { SqliteDatabase } from './sqlite-database.ts';
import { integerOf } from '../stored-row.ts';
import { type ProofStore, pruneBatch, type SeenProof } from '../store.ts';

/** Counting all proofs takes milliseconds when there are many, which every request of a session would wait for. */
const countsBetween = 1_000;

export class SqliteProofs implements ProofStore {
  readonly #database: SqliteDatabase;
  /** How many there are. Counted anew now and then: another process may use the same file. */
  #total = 0;
  #untilCount = 0;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async remember(
    proof: SeenProof,
    bounds: { readonly nowMs: number; readonly proofsPerKeyMax: number; readonly proofsMax: number },
  ): Promise<'new' | 'seen' | 'full'> {
    const { keyThumbprint, jti, expiresMs } = proof;
    const { nowMs, proofsPerKeyMax, proofsMax } = bounds;
    return this.#database.transaction(() => {
      this.#total -= this.#database.run('DELETE FROM seen_proof WHERE expires_ms <= :nowMs', { nowMs });
      const seen = this.#database.get(
        'SELECT 1 AS seen FROM seen_proof WHERE key_thumbprint = :keyThumbprint AND jti = :jti',
        { keyThumbprint, jti },
      );
      if (seen !== undefined) return 'seen';
      // A key that is full stands alone: the others keep their room (invariant 10).
      if (this.#count('WHERE key_thumbprint = :keyThumbprint', { keyThumbprint }) >= proofsPerKeyMax)
        return 'full';
      // Nobody is refused for a number that is only remembered.
      if (this.#all() >= proofsMax && this.#countAll() >= proofsMax) return 'full';
      this.#database.run(
        'INSERT INTO seen_proof (key_thumbprint, jti, expires_ms) VALUES (:keyThumbprint, :jti, :expiresMs)',
        { keyThumbprint, jti, expiresMs },
      );
      this.#total += 1;
      return 'new';
    });
  }

  async prune(nowMs: number): Promise<number> {
    const pruned = this.#database.run(
      `DELETE FROM seen_proof WHERE (key_thumbprint, jti) IN
         (SELECT key_thumbprint, jti FROM seen_proof WHERE expires_ms <= :nowMs ORDER BY expires_ms LIMIT ${pruneBatch})`,
      { nowMs },
    );
    this.#total -= pruned;
    return pruned;
  }

  #all(): number {
    this.#untilCount -= 1;
    return this.#untilCount < 0 ? this.#countAll() : this.#total;
  }

  #countAll(): number {
    this.#total = this.#count('', {});
    this.#untilCount = countsBetween;
    return this.#total;
  }

  #count(where: string, parameters: Readonly<Record<string, string>>): number {
    const row = this.#database.get(`SELECT count(*) AS count FROM seen_proof ${where}`, parameters);
    return row === undefined ? 0 : integerOf(row, 'count');
  }
}
