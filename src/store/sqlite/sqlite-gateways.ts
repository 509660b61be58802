// Gateways and what they share, in SQLite. The clock is that of the machine, which all processes on a file have in common.

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
import type { SqliteDatabase } from './sqlite-database.ts';

const nowMs = `CAST(unixepoch('subsec') * 1000 AS INTEGER)`;
const columns = `incarnation, peer_address, state, change_seen, substr(identity_keys, 1, 200) AS identity_keys, lease_until_ms > ${nowMs} AS is_current`;

export class SqliteGateways implements GatewayStore {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async note(gateway: GatewayNote, leaseMs: number): Promise<void> {
    const { incarnation, peerAddress = null, state, changeSeen } = gateway;
    const identityKeys = keyNamesText(gateway.identityKeys);
    this.#database.run(
      `INSERT INTO gateway (incarnation, peer_address, state, change_seen, identity_keys, lease_until_ms)
       VALUES (:incarnation, :peerAddress, :state, :changeSeen, :identityKeys, ${nowMs} + :leaseMs)
       ON CONFLICT (incarnation) DO UPDATE SET peer_address = excluded.peer_address, state = excluded.state,
         change_seen = excluded.change_seen, identity_keys = excluded.identity_keys, lease_until_ms = excluded.lease_until_ms`,
      { incarnation, peerAddress, state, changeSeen, identityKeys, leaseMs },
    );
  }

  async vouch(
    { incarnation, changeSeen }: Pick<GatewayNote, 'incarnation' | 'changeSeen'>,
    leaseMs: number,
  ): Promise<void> {
    this.#database.run(
      `UPDATE gateway SET change_seen = max(change_seen, :changeSeen), lease_until_ms = max(lease_until_ms, ${nowMs} + :leaseMs)
       WHERE incarnation = :incarnation AND state <> 'left'`,
      { incarnation, changeSeen, leaseMs },
    );
  }

  async find(incarnation: string): Promise<GatewayPresence | undefined> {
    const row = this.#database.get(`SELECT ${columns} FROM gateway WHERE incarnation = :incarnation`, {
      incarnation,
    });
    return row === undefined ? undefined : gatewayOf(row);
  }

  async current(limit: number): Promise<readonly GatewayPresence[]> {
    const sql = `SELECT ${columns} FROM gateway WHERE lease_until_ms > ${nowMs} AND state <> 'left'
      ORDER BY incarnation LIMIT :limit`;
    return this.#database.all(sql, { limit }).map(gatewayOf);
  }

  async away(limit: number): Promise<readonly GatewayPresence[]> {
    const sql = `SELECT ${columns} FROM gateway WHERE lease_until_ms <= ${nowMs} OR state = 'left'
      ORDER BY lease_until_ms DESC, incarnation LIMIT :limit`;
    return this.#database.all(sql, { limit }).map(gatewayOf);
  }

  async prune(overForMs: number): Promise<number> {
    return this.#database.run(
      `DELETE FROM gateway WHERE incarnation IN (
         SELECT incarnation FROM gateway WHERE lease_until_ms <= ${nowMs} - :overForMs LIMIT ${pruneBatch})`,
      { overForMs },
    );
  }
}

export class SqliteIdentity implements IdentityStore {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async version(): Promise<number | undefined> {
    const row = this.#database.get('SELECT version FROM identity', {});
    return row === undefined ? undefined : integerOf(row, 'version');
  }

  async read(): Promise<SealedIdentity | undefined> {
    const row = this.#database.get(
      `SELECT version, substr(sealed, 1, ${sealedCharactersRead}) AS sealed FROM identity`,
      {},
    );
    return row === undefined ? undefined : sealedIdentityOf(row);
  }

  async write({ version, sealed }: SealedIdentity): Promise<boolean> {
    const sql =
      version === 1
        ? 'INSERT INTO identity (one, version, sealed) VALUES (1, :version, :sealed) ON CONFLICT DO NOTHING'
        : 'UPDATE identity SET version = :version, sealed = :sealed WHERE version = :version - 1';
    return this.#database.run(sql, { version, sealed }) === 1;
  }
}
