// Requests for access in PostgreSQL.

import { accessRecordOf, endColumns, grantEnds } from '../access-row.ts';
import type {
  AccessBounds,
  AccessDecision,
  AccessQuery,
  AccessRecord,
  AccessState,
  AccessStore,
  AccessTerms,
  FileOutcome,
  NewAccessRequest,
} from '../access-store.ts';
import { pruneBatch } from '../store.ts';
import { integerOf } from '../stored-row.ts';
import type { PostgresDatabase, Statements, Values } from './postgres-database.ts';
import { lock } from './postgres-lock.ts';

const columns = `id, session_id, principal_id, scheme, host, port, method, path, reason, trace_id, state, created_ms,
  pending_until_ms, decided_ms, note, subject, scope, refs, ends_ms, refs_ends_ms`;
const livingSession = `EXISTS (SELECT 1 FROM session
  WHERE session.id = access_request.session_id AND session.state IN ('enrolled', 'committed'))`;
/** Where time or session has ended what is still open. */
const due = `state IN ('pending', 'granted') AND (
  (state = 'pending' AND (pending_until_ms <= $1 OR NOT ${livingSession})) OR
  (state = 'granted' AND (${grantEnds} <= $1 OR (subject = 'session' AND NOT ${livingSession}))))`;
/** One statement: what was decided, and that something changed. */
const countChange = 'UPDATE change_counter SET value = value + 1 WHERE EXISTS (SELECT 1 FROM decided)';

export class PostgresAccess implements AccessStore {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  file(request: NewAccessRequest, bounds: AccessBounds): Promise<FileOutcome> {
    return this.#database.transaction(async (statements): Promise<FileOutcome> => {
      // They are few, and each is judged by what all the others left.
      await lock(statements, 'access', '');
      const same = await sameOpen(statements, request);
      if (same !== undefined) return { kind: 'already', record: same };
      const bound = await exceeded(statements, request, bounds);
      if (bound !== undefined) return { kind: 'full', bound };
      await insert(statements, request);
      return { kind: 'filed' };
    });
  }

  async find(id: string): Promise<AccessRecord | undefined> {
    const row = await this.#database.get(`SELECT ${columns} FROM access_request WHERE id = $1`, [id]);
    return row === undefined ? undefined : accessRecordOf(row);
  }

  async list({ state, sessionId, before, limit }: AccessQuery): Promise<readonly AccessRecord[]> {
    const rows = await this.#database.all(
      `SELECT ${columns} FROM access_request
       WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR session_id = $2)
         AND ($4::bigint IS NULL OR (created_ms, id) < ($4, $5))
       ORDER BY created_ms DESC, id DESC LIMIT $3`,
      [state ?? null, sessionId ?? null, limit, before?.ms ?? null, before?.id ?? null],
    );
    return rows.map(accessRecordOf);
  }

  grant(id: string, terms: AccessTerms, { nowMs, note }: AccessDecision): Promise<boolean> {
    const { scope, subject } = terms;
    const { endsMs, refs, refsEndsMs } = endColumns(terms);
    return this.#decide(
      `UPDATE access_request SET state = 'granted', decided_ms = $2, note = $3, scope = $4, subject = $5, ends_ms = $6,
         refs = $7, refs_ends_ms = $8
       WHERE id = $1 AND state IN ('pending', 'denied', 'granted') RETURNING 1`,
      [id, nowMs, note ?? null, scope, subject, endsMs, refs, refsEndsMs],
    );
  }

  deny(id: string, decision: AccessDecision): Promise<boolean> {
    return this.#close(id, 'pending', 'denied', decision);
  }

  revoke(id: string, decision: AccessDecision): Promise<boolean> {
    return this.#close(id, 'granted', 'revoked', decision);
  }

  #close(id: string, from: AccessState, to: AccessState, { nowMs, note }: AccessDecision): Promise<boolean> {
    return this.#decide(
      'UPDATE access_request SET state = $3, decided_ms = $4, note = $5 WHERE id = $1 AND state = $2 RETURNING 1',
      [id, from, to, nowMs, note ?? null],
    );
  }

  async #decide(sql: string, values: Values): Promise<boolean> {
    return (await this.#database.run(`WITH decided AS (${sql}) ${countChange}`, values)) > 0;
  }

  async inForce(nowMs: number): Promise<readonly AccessRecord[]> {
    const rows = await this.#database.all(
      `SELECT ${columns} FROM access_request WHERE state IN ('pending', 'granted') AND state = 'granted'
         AND ${grantEnds} > $1 AND (subject = 'principal' OR ${livingSession}) ORDER BY created_ms, id`,
      [nowMs],
    );
    return rows.map(accessRecordOf);
  }

  async expire(nowMs: number, limit = pruneBatch): Promise<readonly AccessRecord[]> {
    // Nearly always nothing is due, and reading takes no lock.
    const one = await this.#database.get(`SELECT 1 AS due FROM access_request WHERE ${due} LIMIT 1`, [nowMs]);
    if (one === undefined) return [];
    return await this.#database.transaction(async (statements) => {
      const rows = await statements.all(
        `SELECT ${columns} FROM access_request WHERE ${due} ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED`,
        [nowMs, limit],
      );
      const records = rows.map(accessRecordOf);
      await statements.run(`UPDATE access_request SET state = 'ended' WHERE id = ANY ($1::text[])`, [
        records.map(({ id }) => id),
      ]);
      return records;
    });
  }

  prune(beforeMs: number): Promise<number> {
    return this.#database.run(
      `DELETE FROM access_request WHERE id IN (SELECT id FROM access_request WHERE created_ms < $1
         AND state NOT IN ('pending', 'granted') ORDER BY created_ms LIMIT ${pruneBatch} FOR UPDATE SKIP LOCKED)`,
      [beforeMs],
    );
  }
}

async function sameOpen(
  statements: Statements,
  { sessionId, scheme, host, port, method, path }: NewAccessRequest,
): Promise<AccessRecord | undefined> {
  const row = await statements.get(
    `SELECT ${columns} FROM access_request WHERE session_id = $1 AND state IN ('pending', 'granted')
       AND scheme = $2 AND host = $3 AND port = $4
       AND method IS NOT DISTINCT FROM $5 AND path IS NOT DISTINCT FROM $6`,
    [sessionId, scheme, host, port, method ?? null, path ?? null],
  );
  return row === undefined ? undefined : accessRecordOf(row);
}

function insert(statements: Statements, request: NewAccessRequest): Promise<number> {
  const { id, sessionId, principalId, scheme, host, port, method, path, reason, traceId } = request;
  return statements.run(
    `INSERT INTO access_request (id, session_id, principal_id, scheme, host, port, method, path, reason, trace_id,
       state, created_ms, pending_until_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'pending', $11, $12)`,
    [
      id,
      sessionId,
      principalId,
      scheme,
      host,
      port,
      method ?? null,
      path ?? null,
      reason,
      traceId ?? null,
      request.createdMs,
      request.pendingUntilMs,
    ],
  );
}

async function exceeded(
  statements: Statements,
  { sessionId, principalId }: NewAccessRequest,
  bounds: AccessBounds,
): Promise<keyof AccessBounds | undefined> {
  const ofSession = await counts(statements, 'WHERE session_id = $1', [sessionId]);
  if (ofSession.pending >= bounds.accessPendingPerSessionMax) return 'accessPendingPerSessionMax';
  if (ofSession.all >= bounds.accessRequestsPerSessionMax) return 'accessRequestsPerSessionMax';
  const ofPrincipal = await counts(statements, 'WHERE principal_id = $1', [principalId]);
  if (ofPrincipal.pending >= bounds.accessPendingPerPrincipalMax) return 'accessPendingPerPrincipalMax';
  if (ofPrincipal.all >= bounds.accessRequestsPerPrincipalMax) return 'accessRequestsPerPrincipalMax';
  const { all } = await counts(statements, '', []);
  return all < bounds.accessRequestsMax || (await makeRoom(statements)) ? undefined : 'accessRequestsMax';
}

async function counts(
  statements: Statements,
  where: string,
  values: Values,
): Promise<{ readonly all: number; readonly pending: number }> {
  const row = await statements.get(
    `SELECT count(*) AS total, count(*) FILTER (WHERE state = 'pending') AS pending FROM access_request ${where}`,
    values,
  );
  if (row === undefined) return { all: 0, pending: 0 };
  return { all: integerOf(row, 'total'), pending: integerOf(row, 'pending') };
}

/** Forgets the oldest decided request of the principal that has most of them. False if all are still open. */
async function makeRoom(statements: Statements): Promise<boolean> {
  const removed = await statements.run(
    `DELETE FROM access_request WHERE id = (SELECT id FROM access_request
       WHERE state NOT IN ('pending', 'granted') AND principal_id = (SELECT principal_id FROM access_request
         WHERE state NOT IN ('pending', 'granted') GROUP BY principal_id ORDER BY count(*) DESC, principal_id LIMIT 1)
       ORDER BY created_ms, id LIMIT 1)`,
  );
  return removed > 0;
}
