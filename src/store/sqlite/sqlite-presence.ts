// What the gateways saw of sessions, in SQLite.

import type { SqliteDatabase } from './sqlite-database.ts';
import { integerOf, textOf } from '../stored-row.ts';
import type { PresenceStore, SessionPresence } from '../store.ts';

export class SqlitePresence implements PresenceStore {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async note(presences: readonly SessionPresence[]): Promise<void> {
    if (presences.length === 0) return;
    this.#database.transaction(() => {
      for (const { sessionId, gatewayId, tunnels, seenMs, policyVersion } of presences) {
        // Selected from the sessions: one that was pruned meanwhile has no row to refer to.
        this.#database.run(
          `INSERT INTO session_presence (session_id, gateway_id, tunnels, seen_ms, policy_version)
           SELECT id, :gatewayId, :tunnels, :seenMs, :policyVersion FROM session WHERE id = :sessionId
           ON CONFLICT (session_id, gateway_id) DO UPDATE SET
             tunnels = :tunnels, seen_ms = :seenMs, policy_version = :policyVersion`,
          { sessionId, gatewayId, tunnels, seenMs, policyVersion },
        );
      }
    });
  }

  async of(sessionId: string): Promise<readonly SessionPresence[]> {
    const sql = 'SELECT * FROM session_presence WHERE session_id = :sessionId ORDER BY seen_ms DESC';
    return this.#database.all(sql, { sessionId }).map((row) => ({
      sessionId,
      gatewayId: textOf(row, 'gateway_id'),
      tunnels: integerOf(row, 'tunnels'),
      seenMs: integerOf(row, 'seen_ms'),
      policyVersion: textOf(row, 'policy_version'),
    }));
  }
}
