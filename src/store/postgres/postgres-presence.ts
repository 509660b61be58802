// What the gateways saw of sessions, in PostgreSQL.

import type { PresenceStore, SessionPresence } from '../store.ts';
import { integerOf, textOf } from '../stored-row.ts';
import type { PostgresDatabase } from './postgres-database.ts';

export class PostgresPresence implements PresenceStore {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async note(presences: readonly SessionPresence[]): Promise<void> {
    if (presences.length === 0) return;
    // The last word on a session counts: one statement changes a row once.
    const said = [
      ...new Map(presences.map((one) => [JSON.stringify([one.sessionId, one.gatewayId]), one])).values(),
    ];
    // Selected from the sessions: one that was pruned meanwhile has no row to refer to. In the order of the key, as any other that
    // changes several.
    await this.#database.run(
      `INSERT INTO session_presence AS known (session_id, gateway_id, tunnels, seen_ms, policy_version)
       SELECT session.id, said.gateway_id, said.tunnels, said.seen_ms, said.policy_version
       FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[])
         AS said (session_id, gateway_id, tunnels, seen_ms, policy_version)
       JOIN session ON session.id = said.session_id
       ORDER BY session.id, said.gateway_id
       ON CONFLICT (session_id, gateway_id) DO UPDATE SET
         tunnels = excluded.tunnels, seen_ms = excluded.seen_ms, policy_version = excluded.policy_version`,
      [
        said.map(({ sessionId }) => sessionId),
        said.map(({ gatewayId }) => gatewayId),
        said.map(({ tunnels }) => tunnels),
        said.map(({ seenMs }) => seenMs),
        said.map(({ policyVersion }) => policyVersion),
      ],
    );
  }

  async of(sessionId: string): Promise<readonly SessionPresence[]> {
    const rows = await this.#database.all(
      `SELECT gateway_id, tunnels, seen_ms, policy_version FROM session_presence
       WHERE session_id = $1 ORDER BY seen_ms DESC`,
      [sessionId],
    );
    return rows.map((row) => ({
      sessionId,
      gatewayId: textOf(row, 'gateway_id'),
      tunnels: integerOf(row, 'tunnels'),
      seenMs: integerOf(row, 'seen_ms'),
      policyVersion: textOf(row, 'policy_version'),
    }));
  }
}
