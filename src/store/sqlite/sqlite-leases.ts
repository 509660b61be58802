// Leases of sessions in SQLite. The clock is that of the machine, which all processes on a file have in common.

import { claimedLeaseOf, sealedLeaseRead, shownLeaseColumns, shownLeaseOf } from '../lease-row.ts';
import type {
  AskLeaseOutcome,
  HeldLease,
  LeaseBounds,
  LeaseClaim,
  LeaseClaimed,
  LeaseStore,
  NewLease,
  ShownLease,
} from '../lease-store.ts';
import { integerOf } from '../stored-row.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** The table, as a migration. A row outlives its session: it says what is still to be given back. `next_ms` is when it may be claimed. */
export const leaseScript = `
  CREATE TABLE credential_lease (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    principal_id TEXT NOT NULL,
    credential TEXT NOT NULL,
    holder_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('asked', 'held', 'released')),
    sealed TEXT,
    asked_ms INTEGER NOT NULL,
    ends_ms INTEGER,
    next_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX credential_lease_by_session ON credential_lease (session_id);
`;

const nowMs = `CAST(unixepoch('subsec') * 1000 AS INTEGER)`;

export class SqliteLeases implements LeaseStore {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async ask(lease: NewLease, bounds: LeaseBounds): Promise<AskLeaseOutcome> {
    return this.#database.transaction((): AskLeaseOutcome => {
      const { sessionId, principalId } = lease;
      const living = this.#database.get(
        `SELECT 1 FROM session WHERE id = :sessionId AND state IN ('enrolled', 'committed')`,
        { sessionId },
      );
      if (living === undefined) return { kind: 'over' };
      const counts = this.#database.get(
        `SELECT count(*) AS total, count(*) FILTER (WHERE session_id = :sessionId) AS of_session,
           count(*) FILTER (WHERE principal_id = :principalId) AS of_principal FROM credential_lease`,
        { sessionId, principalId },
      );
      const taken = (column: string): number => (counts === undefined ? 0 : integerOf(counts, column));
      if (taken('of_session') >= bounds.leasesPerSessionMax)
        return { kind: 'full', bound: 'leasesPerSessionMax' };
      if (taken('of_principal') >= bounds.leasesPerPrincipalMax)
        return { kind: 'full', bound: 'leasesPerPrincipalMax' };
      if (taken('total') >= bounds.leasesMax) return { kind: 'full', bound: 'leasesMax' };
      this.#database.run(
        `INSERT INTO credential_lease (id, session_id, principal_id, credential, holder_id, state, asked_ms, next_ms, attempts)
         VALUES (:id, :sessionId, :principalId, :credential, :holderId, 'asked', ${nowMs}, 0, 0)`,
        { ...lease },
      );
      return { kind: 'asked' };
    });
  }

  async hold(id: string, { sealed, lifetimeMs }: HeldLease): Promise<boolean> {
    const changed = this.#database.run(
      `UPDATE credential_lease SET state = 'held', sealed = :sealed, ends_ms = ${nowMs} + :lifetimeMs
       WHERE id = :id AND state <> 'released'`,
      { id, sealed, lifetimeMs },
    );
    return changed > 0;
  }

  async ofSession(sessionId: string, limit: number): Promise<readonly ShownLease[]> {
    return this.#database
      .all(
        `SELECT ${shownLeaseColumns} FROM credential_lease WHERE session_id = :sessionId
         ORDER BY asked_ms, id LIMIT :limit`,
        { sessionId, limit },
      )
      .map(shownLeaseOf);
  }

  async release(id: string): Promise<void> {
    this.#database.run(`UPDATE credential_lease SET state = 'released' WHERE id = :id`, { id });
  }

  async forget(id: string): Promise<boolean> {
    return this.#database.run('DELETE FROM credential_lease WHERE id = :id', { id }) > 0;
  }

  async claim(claim: LeaseClaim): Promise<LeaseClaimed> {
    const { claimMs, limit, holderId, holderAwayMs, askedMs, endedMs } = claim;
    const except = JSON.stringify(claim.except);
    return this.#database.transaction((): LeaseClaimed => {
      const leases = this.#database
        .all(
          `SELECT id, session_id, principal_id, credential, holder_id, substr(sealed, 1, ${sealedLeaseRead}) AS sealed,
             attempts, coalesce(ends_ms <= ${nowMs} - :endedMs, 0) AS is_ended
           FROM credential_lease
           WHERE next_ms <= ${nowMs} AND (sealed IS NOT NULL OR asked_ms <= ${nowMs} - :askedMs) AND (
             sealed IS NULL OR state = 'released' OR ends_ms <= ${nowMs} - :endedMs
             OR NOT EXISTS (SELECT 1 FROM session WHERE session.id = session_id AND session.state IN ('enrolled', 'committed'))
             OR (holder_id <> :holderId AND NOT EXISTS (SELECT 1 FROM gateway WHERE incarnation = holder_id
               AND gateway.state <> 'left' AND lease_until_ms > ${nowMs} - :holderAwayMs)))
             AND (coalesce(ends_ms <= ${nowMs} - :endedMs, 0) OR id NOT IN (SELECT value FROM json_each(:except)))
           ORDER BY next_ms, id LIMIT :limit`,
          { endedMs, askedMs, holderId, holderAwayMs, limit, except },
        )
        .map(claimedLeaseOf);
      this.#database.run(
        `UPDATE credential_lease SET next_ms = ${nowMs} + :claimMs, attempts = attempts + 1
         WHERE id IN (SELECT value FROM json_each(:ids))`,
        { claimMs, ids: JSON.stringify(leases.map(({ id }) => id)) },
      );
      const failing = this.#database.get(
        'SELECT count(*) AS failing FROM credential_lease WHERE attempts > 1',
      );
      return { leases, failing: failing === undefined ? 0 : integerOf(failing, 'failing') };
    });
  }

  async postpone(id: string, forMs: number): Promise<void> {
    this.#database.run(`UPDATE credential_lease SET next_ms = ${nowMs} + :forMs WHERE id = :id`, {
      id,
      forMs,
    });
  }
}
