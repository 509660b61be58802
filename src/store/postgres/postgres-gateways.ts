// Gateways and what they share, in PostgreSQL. Leases are by the clock of the database.

import { gatewayOf, keyNamesText, sealedCharactersRead, sealedIdentityOf } from '../gateway-row.ts';
import type {
  GatewayNote,
  GatewayPresence,
  GatewayStore,
  IdentityStore,
  SealedIdentity,
} from '../gateway-store.ts';
import { pruneBatch } from '../store.ts';
import { integerOf } from '../stored-row.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import { schemaVersion } from './postgres-schema.ts';

const columns = `incarnation, peer_address, state, change_seen, left(identity_keys, 200) AS identity_keys, (lease_until > clock_timestamp())::int AS is_current`;

export class PostgresGateways implements GatewayStore {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async note(gateway: GatewayNote, leaseMs: number): Promise<void> {
    const { incarnation, peerAddress, state, changeSeen, identityKeys } = gateway;
    await this.#database.run(
      `INSERT INTO gateway (incarnation, peer_address, state, change_seen, identity_keys, schema_known, lease_until)
       VALUES ($1, $2, $3, $4::bigint, $5, ${schemaVersion}, clock_timestamp() + $6::bigint * interval '1 millisecond')
       ON CONFLICT (incarnation) DO UPDATE SET peer_address = excluded.peer_address, state = excluded.state,
         change_seen = excluded.change_seen, identity_keys = excluded.identity_keys, schema_known = excluded.schema_known,
         lease_until = excluded.lease_until`,
      [incarnation, peerAddress ?? null, state, changeSeen, keyNamesText(identityKeys), leaseMs],
    );
  }

  async vouch(
    { incarnation, changeSeen }: Pick<GatewayNote, 'incarnation' | 'changeSeen'>,
    leaseMs: number,
  ): Promise<void> {
    await this.#database.run(
      `UPDATE gateway SET change_seen = greatest(change_seen, $2::bigint),
         lease_until = greatest(lease_until, clock_timestamp() + $3::bigint * interval '1 millisecond')
       WHERE incarnation = $1 AND state <> 'left'`,
      [incarnation, changeSeen, leaseMs],
    );
  }

  async find(incarnation: string): Promise<GatewayPresence | undefined> {
    const row = await this.#database.get(`SELECT ${columns} FROM gateway WHERE incarnation = $1`, [
      incarnation,
    ]);
    return row === undefined ? undefined : gatewayOf(row);
  }

  async current(limit: number): Promise<readonly GatewayPresence[]> {
    const rows = await this.#database.all(
      `SELECT ${columns} FROM gateway WHERE lease_until > clock_timestamp() AND state <> 'left'
       ORDER BY incarnation LIMIT $1`,
      [limit],
    );
    return rows.map(gatewayOf);
  }

  async away(limit: number): Promise<readonly GatewayPresence[]> {
    const rows = await this.#database.all(
      `SELECT ${columns} FROM gateway WHERE lease_until <= clock_timestamp() OR state = 'left'
       ORDER BY lease_until DESC, incarnation LIMIT $1`,
      [limit],
    );
    return rows.map(gatewayOf);
  }

  prune(overForMs: number): Promise<number> {
    return this.#database.run(
      `DELETE FROM gateway WHERE incarnation IN (
         SELECT incarnation FROM gateway
         WHERE lease_until <= clock_timestamp() - $1::bigint * interval '1 millisecond'
         ORDER BY incarnation LIMIT ${pruneBatch} FOR UPDATE SKIP LOCKED)`,
      [overForMs],
    );
  }
}

export class PostgresIdentity implements IdentityStore {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async version(): Promise<number | undefined> {
    const row = await this.#database.get('SELECT version FROM identity');
    return row === undefined ? undefined : integerOf(row, 'version');
  }

  async read(): Promise<SealedIdentity | undefined> {
    const row = await this.#database.get(
      `SELECT version, left(sealed, ${sealedCharactersRead}) AS sealed FROM identity`,
    );
    return row === undefined ? undefined : sealedIdentityOf(row);
  }

  async write({ version, sealed }: SealedIdentity): Promise<boolean> {
    const sql =
      version === 1
        ? 'INSERT INTO identity (one, version, sealed) VALUES (1, $1, $2) ON CONFLICT DO NOTHING'
        : 'UPDATE identity SET version = $1::bigint, sealed = $2 WHERE version = $1::bigint - 1';
    return (await this.#database.run(sql, [version, sealed])) === 1;
  }
}
