// Leases of sessions in PostgreSQL. All times are by the clock of the database.

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
import { isLiving } from './postgres-budgets.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import { lock } from './postgres-lock.ts';

/** The table, as a migration. A row outlives its session: it says what is still to be given back. `next_ms` is when it may be claimed. */
export const leaseScript = `
  CREATE TABLE credential_lease (
    id text COLLATE "C" PRIMARY KEY,
    session_id text COLLATE "C" NOT NULL,
    principal_id text NOT NULL,
    credential text NOT NULL,
    holder_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('asked', 'held', 'released')),
    sealed text,
    asked_ms bigint NOT NULL,
    ends_ms bigint,
    next_ms bigint NOT NULL,
    attempts bigint NOT NULL
  );
  CREATE INDEX credential_lease_by_session ON credential_lease (session_id);
`;

const nowMs = `(extract(epoch FROM clock_timestamp()) * 1000)::bigint`;

export class PostgresLeases implements LeaseStore {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  ask(lease: NewLease, bounds: LeaseBounds): Promise<AskLeaseOutcome> {
    const { id, sessionId, principalId, credential, holderId } = lease;
    return this.#database.transaction(async (statements): Promise<AskLeaseOutcome> => {
      if (!(await isLiving(statements, sessionId))) return { kind: 'over' };
      // A session has one once in a while: that all of them wait for each other costs nothing.
      await lock(statements, 'leases', '');
      const counts = await statements.get(
        `SELECT count(*) AS total, count(*) FILTER (WHERE session_id = $1) AS of_session,
           count(*) FILTER (WHERE principal_id = $2) AS of_principal FROM credential_lease`,
        [sessionId, principalId],
      );
      const taken = (column: string): number => (counts === undefined ? 0 : integerOf(counts, column));
      if (taken('of_session') >= bounds.leasesPerSessionMax)
        return { kind: 'full', bound: 'leasesPerSessionMax' };
      if (taken('of_principal') >= bounds.leasesPerPrincipalMax)
        return { kind: 'full', bound: 'leasesPerPrincipalMax' };
      if (taken('total') >= bounds.leasesMax) return { kind: 'full', bound: 'leasesMax' };
      await statements.run(
        `INSERT INTO credential_lease (id, session_id, principal_id, credential, holder_id, state, asked_ms, next_ms, attempts)
         VALUES ($1, $2, $3, $4, $5, 'asked', ${nowMs}, 0, 0)`,
        [id, sessionId, principalId, credential, holderId],
      );
      return { kind: 'asked' };
    });
  }

  async hold(id: string, { sealed, lifetimeMs }: HeldLease): Promise<boolean> {
    const changed = await this.#database.run(
      `UPDATE credential_lease SET state = 'held', sealed = $2, ends_ms = ${nowMs} + $3::bigint
       WHERE id = $1 AND state <> 'released'`,
      [id, sealed, lifetimeMs],
    );
    return changed > 0;
  }

  async ofSession(sessionId: string, limit: number): Promise<readonly ShownLease[]> {
    const rows = await this.#database.all(
      `SELECT ${shownLeaseColumns} FROM credential_lease WHERE session_id = $1 ORDER BY asked_ms, id LIMIT $2`,
      [sessionId, limit],
    );
    return rows.map(shownLeaseOf);
  }

  async release(id: string): Promise<void> {
    await this.#database.run(`UPDATE credential_lease SET state = 'released' WHERE id = $1`, [id]);
  }

  async forget(id: string): Promise<boolean> {
    return (await this.#database.run('DELETE FROM credential_lease WHERE id = $1', [id])) > 0;
  }

  async claim(claim: LeaseClaim): Promise<LeaseClaimed> {
    const { claimMs, limit, holderId, holderAwayMs, askedMs, endedMs, except } = claim;
    const rows = await this.#database.all(
      `UPDATE credential_lease AS lease SET next_ms = ${nowMs} + $1::bigint, attempts = lease.attempts + 1
       FROM (
         SELECT id AS due_id, attempts AS attempts_before FROM credential_lease AS due
         WHERE next_ms <= ${nowMs} AND (sealed IS NOT NULL OR asked_ms <= ${nowMs} - $4::bigint) AND (
           sealed IS NULL OR state = 'released' OR ends_ms <= ${nowMs} - $5::bigint
           OR NOT EXISTS (SELECT 1 FROM session WHERE session.id = due.session_id AND session.state IN ('enrolled', 'committed'))
           OR (holder_id <> $6 AND NOT EXISTS (SELECT 1 FROM gateway WHERE incarnation = due.holder_id
             AND gateway.state <> 'left' AND lease_until > clock_timestamp() - $3::bigint * interval '1 millisecond')))
           AND (coalesce(ends_ms <= ${nowMs} - $5::bigint, false) OR id <> ALL ($7::text[]))
         ORDER BY next_ms, id LIMIT $2 FOR UPDATE OF due SKIP LOCKED
       ) AS found
       WHERE lease.id = due_id
       RETURNING id, session_id, principal_id, credential, holder_id, left(sealed, ${sealedLeaseRead}) AS sealed,
         attempts_before AS attempts, coalesce((ends_ms <= ${nowMs} - $5::bigint)::int, 0) AS is_ended`,
      [claimMs, limit, holderAwayMs, askedMs, endedMs, holderId, except],
    );
    const failing = await this.#database.get(
      'SELECT count(*) AS failing FROM credential_lease WHERE attempts > 1',
    );
    return {
      leases: rows.map(claimedLeaseOf),
      failing: failing === undefined ? 0 : integerOf(failing, 'failing'),
    };
  }

  async postpone(id: string, forMs: number): Promise<void> {
    await this.#database.run(`UPDATE credential_lease SET next_ms = ${nowMs} + $2::bigint WHERE id = $1`, [
      id,
      forMs,
    ]);
  }
}
