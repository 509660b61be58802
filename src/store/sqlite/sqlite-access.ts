// Requests for access in SQLite.

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
import { accessRecordOf, endColumns, grantEnds } from '../access-row.ts';
import { integerOf } from '../stored-row.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

const livingSession = `EXISTS (SELECT 1 FROM session
  WHERE session.id = access_request.session_id AND session.state IN ('enrolled', 'committed'))`;
/** Where time or session has ended what is still open. */
const due = `(
  (state = 'pending' AND (pending_until_ms <= :nowMs OR NOT ${livingSession})) OR
  (state = 'granted' AND (${grantEnds} <= :nowMs OR (subject = 'session' AND NOT ${livingSession}))))`;

export class SqliteAccess implements AccessStore {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async file(request: NewAccessRequest, bounds: AccessBounds): Promise<FileOutcome> {
    return this.#database.transaction((): FileOutcome => {
      const same = this.#same(request);
      if (same !== undefined) return { kind: 'already', record: same };
      const bound = this.#exceeded(request, bounds);
      if (bound !== undefined) return { kind: 'full', bound };
      const { method = null, path = null, traceId = null, ...rest } = request;
      this.#database.run(
        `INSERT INTO access_request (id, session_id, principal_id, scheme, host, port, method, path, reason, trace_id,
           state, created_ms, pending_until_ms)
         VALUES (:id, :sessionId, :principalId, :scheme, :host, :port, :method, :path, :reason, :traceId,
           'pending', :createdMs, :pendingUntilMs)`,
        { ...rest, method, path, traceId },
      );
      return { kind: 'filed' };
    });
  }

  #same({ sessionId, scheme, host, port, method, path }: NewAccessRequest): AccessRecord | undefined {
    const row = this.#database.get(
      `SELECT * FROM access_request WHERE session_id = :sessionId AND state IN ('pending', 'granted')
         AND scheme = :scheme AND host = :host AND port = :port AND method IS :method AND path IS :path`,
      { sessionId, scheme, host, port, method: method ?? null, path: path ?? null },
    );
    return row === undefined ? undefined : accessRecordOf(row);
  }

  #exceeded(
    { sessionId, principalId }: NewAccessRequest,
    bounds: AccessBounds,
  ): keyof AccessBounds | undefined {
    const ofSession = this.#counts('session_id = :id', { id: sessionId });
    if (ofSession.pending >= bounds.accessPendingPerSessionMax) return 'accessPendingPerSessionMax';
    if (ofSession.all >= bounds.accessRequestsPerSessionMax) return 'accessRequestsPerSessionMax';
    const ofPrincipal = this.#counts('principal_id = :id', { id: principalId });
    if (ofPrincipal.pending >= bounds.accessPendingPerPrincipalMax) return 'accessPendingPerPrincipalMax';
    if (ofPrincipal.all >= bounds.accessRequestsPerPrincipalMax) return 'accessRequestsPerPrincipalMax';
    if (this.#counts('true', {}).all < bounds.accessRequestsMax || this.#makeRoom()) return undefined;
    return 'accessRequestsMax';
  }

  #counts(
    where: string,
    parameters: Readonly<Record<string, string>>,
  ): { readonly all: number; readonly pending: number } {
    const row = this.#database.get(
      `SELECT count(*) AS total, count(*) FILTER (WHERE state = 'pending') AS pending FROM access_request WHERE ${where}`,
      parameters,
    );
    if (row === undefined) return { all: 0, pending: 0 };
    return { all: integerOf(row, 'total'), pending: integerOf(row, 'pending') };
  }

  /** Forgets the oldest decided request of the principal that has most of them. False if all are still open. */
  #makeRoom(): boolean {
    const removed = this.#database.run(
      `DELETE FROM access_request WHERE id = (SELECT id FROM access_request
         WHERE state NOT IN ('pending', 'granted') AND principal_id = (SELECT principal_id FROM access_request
           WHERE state NOT IN ('pending', 'granted') GROUP BY principal_id ORDER BY count(*) DESC, principal_id LIMIT 1)
         ORDER BY created_ms, id LIMIT 1)`,
    );
    return removed > 0;
  }

  async find(id: string): Promise<AccessRecord | undefined> {
    const row = this.#database.get('SELECT * FROM access_request WHERE id = :id', { id });
    return row === undefined ? undefined : accessRecordOf(row);
  }

  async list({ state, sessionId, before, limit }: AccessQuery): Promise<readonly AccessRecord[]> {
    const [beforeMs, beforeId] = [before?.ms ?? null, before?.id ?? null];
    return this.#database
      .all(
        `SELECT * FROM access_request
         WHERE (:state IS NULL OR state = :state) AND (:sessionId IS NULL OR session_id = :sessionId)
           AND (:beforeMs IS NULL OR (created_ms, id) < (:beforeMs, :beforeId))
         ORDER BY created_ms DESC, id DESC LIMIT :limit`,
        { state: state ?? null, sessionId: sessionId ?? null, beforeMs, beforeId, limit },
      )
      .map(accessRecordOf);
  }

  async grant(id: string, terms: AccessTerms, { nowMs, note }: AccessDecision): Promise<boolean> {
    const { scope, subject } = terms;
    const changed = this.#database.run(
      `UPDATE access_request SET state = 'granted', decided_ms = :nowMs, note = :note, scope = :scope,
         subject = :subject, ends_ms = :endsMs, refs = :refs, refs_ends_ms = :refsEndsMs
       WHERE id = :id AND state IN ('pending', 'denied', 'granted')`,
      { id, nowMs, note: note ?? null, scope, subject, ...endColumns(terms) },
    );
    return changed > 0;
  }

  deny(id: string, decision: AccessDecision): Promise<boolean> {
    return this.#close(id, 'pending', 'denied', decision);
  }

  revoke(id: string, decision: AccessDecision): Promise<boolean> {
    return this.#close(id, 'granted', 'revoked', decision);
  }

  async #close(
    id: string,
    from: AccessState,
    to: AccessState,
    { nowMs, note }: AccessDecision,
  ): Promise<boolean> {
    const changed = this.#database.run(
      'UPDATE access_request SET state = :to, decided_ms = :nowMs, note = :note WHERE id = :id AND state = :from',
      { id, from, to, nowMs, note: note ?? null },
    );
    return changed > 0;
  }

  async inForce(nowMs: number): Promise<readonly AccessRecord[]> {
    return this.#database
      .all(
        `SELECT * FROM access_request WHERE state IN ('pending', 'granted') AND state = 'granted' AND ${grantEnds} > :nowMs
           AND (subject = 'principal' OR ${livingSession}) ORDER BY created_ms, id`,
        { nowMs },
      )
      .map(accessRecordOf);
  }

  async expire(nowMs: number, limit = pruneBatch): Promise<readonly AccessRecord[]> {
    const sql = `SELECT * FROM access_request WHERE state IN ('pending', 'granted') AND ${due}`;
    // Nearly always nothing is due, and reading takes no lock.
    if (this.#database.get(`${sql} LIMIT 1`, { nowMs }) === undefined) return [];
    return this.#database.transaction(() => {
      const records = this.#database.all(`${sql} LIMIT :limit`, { nowMs, limit }).map(accessRecordOf);
      for (const { id } of records)
        this.#database.run(`UPDATE access_request SET state = 'ended' WHERE id = :id`, { id });
      return records;
    });
  }

  async prune(beforeMs: number): Promise<number> {
    return this.#database.run(
      `DELETE FROM access_request WHERE id IN (SELECT id FROM access_request
         WHERE created_ms < :beforeMs AND state NOT IN ('pending', 'granted') ORDER BY created_ms LIMIT ${pruneBatch})`,
      { beforeMs },
    );
  }
}
