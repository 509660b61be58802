// Proofs that were seen, in PostgreSQL: bounded for each key and in all.

import { type ProofStore, pruneBatch, type SeenProof } from '../store.ts';
import { integerOf } from '../stored-row.ts';
import type { PostgresDatabase } from './postgres-database.ts';

/** Counting all proofs takes milliseconds when there are many, which every enrolment would wait for. */
const countsBetween = 1_000;

export class PostgresProofs implements ProofStore {
  readonly #database: PostgresDatabase;
  /** How many there are. Counted anew now and then: other gateways use the same table. */
  #total = 0;
  #untilCount = 0;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async remember(
    { keyThumbprint, jti, expiresMs }: SeenProof,
    bounds: { readonly nowMs: number; readonly proofsPerKeyMax: number; readonly proofsMax: number },
  ): Promise<'new' | 'seen' | 'full'> {
    const { nowMs, proofsPerKeyMax, proofsMax } = bounds;
    // Nobody is refused for a number that is only remembered.
    const isFull = (await this.#all()) >= proofsMax && (await this.#countAll()) >= proofsMax;
    // A key that is full stands alone: the others keep their room (invariant 10). Of two that come at the same moment one is new; a
    // key can be over its bound by what comes at the same moment.
    const stored = await this.#database.run(
      `INSERT INTO seen_proof AS known (key_thumbprint, jti, expires_ms)
       SELECT $1, $2, $3::bigint WHERE NOT $6::boolean AND
         (SELECT count(*) FROM seen_proof WHERE key_thumbprint = $1 AND expires_ms > $4) < $5::bigint
       ON CONFLICT (key_thumbprint, jti) DO UPDATE SET expires_ms = excluded.expires_ms WHERE known.expires_ms <= $4`,
      [keyThumbprint, jti, expiresMs, nowMs, proofsPerKeyMax, isFull],
    );
    if (stored > 0) {
      this.#total += 1;
      return 'new';
    }
    const seen = await this.#database.get(
      'SELECT 1 AS seen FROM seen_proof WHERE key_thumbprint = $1 AND jti = $2 AND expires_ms > $3',
      [keyThumbprint, jti, nowMs],
    );
    return seen === undefined ? 'full' : 'seen';
  }

  async prune(nowMs: number): Promise<number> {
    const pruned = await this.#database.run(
      `DELETE FROM seen_proof WHERE (key_thumbprint, jti) IN (SELECT key_thumbprint, jti FROM seen_proof
         WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT ${pruneBatch} FOR UPDATE SKIP LOCKED)`,
      [nowMs],
    );
    this.#total -= pruned;
    return pruned;
  }

  async #all(): Promise<number> {
    this.#untilCount -= 1;
    return this.#untilCount < 0 ? await this.#countAll() : this.#total;
  }

  async #countAll(): Promise<number> {
    const row = await this.#database.get('SELECT count(*) AS count FROM seen_proof');
    this.#total = row === undefined ? 0 : integerOf(row, 'count');
    this.#untilCount = countsBetween;
    return this.#total;
  }
}
