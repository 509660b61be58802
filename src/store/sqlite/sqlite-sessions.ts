// Sessions and consumed tokens in SQLite. Each method is one transaction: there is no state between two of its steps.

import {
  aboveColumns,
  endedPageOf,
  endingOf,
  endingOfOver,
  isLost,
  lifeIsOver,
  lostSession,
  sessionOf,
  supersededReason,
  uncommittedInTime,
  usedBefore,
  withdrawOutcomeOf,
} from '../session-row.ts';
import { integerOf, textOf } from '../stored-row.ts';
import { living, narrow, narrowingsOf, sessionsBelow } from './sqlite-children.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import {
  type CommitOutcome,
  type EndedPage,
  type EndedPlace,
  type EnrolOutcome,
  type NarrowBounds,
  type NarrowedSession,
  type NarrowOutcome,
  type NewChild,
  type NewSession,
  type NumberedEnding,
  type RestoreOutcome,
  type SessionEnding,
  type SessionQuery,
  type SessionRecord,
  type SessionStore,
  type TokenStore,
  type WithdrawOutcome,
  pruneBatch,
  withdrawnToken,
} from '../store.ts';

export class SqliteSessions implements SessionStore {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async enrol(
    session: NewSession,
    bounds: { readonly enrolmentsPerTokenMax: number },
  ): Promise<EnrolOutcome> {
    const database = this.#database;
    const { tokenKey, enrolledMs } = session;
    return database.transaction((): EnrolOutcome => {
      const consumer = consumerOf(database, tokenKey);
      if (consumer !== undefined) return this.#refusalOf(consumer);
      const count = database.get('SELECT count(*) AS count FROM session WHERE token_key = :tokenKey', {
        tokenKey,
      });
      if (count === undefined || integerOf(count, 'count') >= bounds.enrolmentsPerTokenMax) {
        return { kind: 'too_many_enrolments' };
      }
      const earlier = database.all(`SELECT id FROM session WHERE token_key = :tokenKey AND ${living}`, {
        tokenKey,
      });
      const superseded = earlier.map((row) => textOf(row, 'id'));
      for (const id of superseded) this.#end(id, { state: 'revoked', reason: supersededReason }, enrolledMs);
      this.#insert(session);
      return { kind: 'enrolled', superseded };
    });
  }

  /** A session that never committed did not consume the token: it was ended, and the token with it. */
  #refusalOf(sessionId: string): EnrolOutcome {
    if (sessionId === withdrawnToken) return { kind: 'token_withdrawn' };
    const session = this.#find(sessionId);
    const isRevoked = session !== undefined && session.committedMs === undefined;
    return { kind: isRevoked ? 'token_revoked' : 'token_consumed', sessionId };
  }

  #insert(session: NewSession): void {
    this.#database.run(
      `INSERT INTO session (id, token_key, token_expires_ms, principal_id, claims, posture, key_thumbprint,
         agent_version, state, enrolled_ms, commit_by_ms, ends_ms, root_id, above)
       VALUES (:id, :tokenKey, :tokenExpiresMs, :principalId, :claims, :posture, :keyThumbprint,
         :agentVersion, 'enrolled', :enrolledMs, :commitByMs, :endsMs, :rootId, :above)`,
      { ...factsOf(session), ...aboveColumns(session) },
    );
  }

  async narrow(child: NewChild, bounds: NarrowBounds): Promise<NarrowOutcome> {
    return this.#database.transaction(() =>
      narrow(this.#database, child, bounds, (session) => {
        this.#insert(session);
        this.#markCommitted(session.id, child.nowMs);
      }),
    );
  }

  async narrowingsOf(ids: readonly string[]): Promise<readonly NarrowedSession[]> {
    return narrowingsOf(this.#database, ids);
  }

  async below(session: Pick<SessionRecord, 'id' | 'above'>): Promise<readonly SessionRecord[]> {
    return sessionsBelow(this.#database, session);
  }

  async commit(id: string, nowMs: number): Promise<CommitOutcome> {
    const database = this.#database;
    return database.transaction((): CommitOutcome => {
      const session = this.#find(id);
      if (session === undefined || session.overMs !== undefined) return { kind: 'over', session };
      if (session.state === 'committed') return { kind: 'already_committed' };
      if (nowMs >= session.commitByMs) return { kind: 'over', session };
      const { tokenKey, tokenExpiresMs } = session;
      const consumer = consumerOf(database, tokenKey);
      if (consumer !== undefined) return { kind: 'token_consumed', sessionId: consumer };
      this.#useUp({ id, tokenKey, tokenExpiresMs });
      database.run(`UPDATE session SET state = 'committed', committed_ms = :nowMs WHERE id = :id`, {
        id,
        nowMs,
      });
      return { kind: 'committed' };
    });
  }

  async find(id: string): Promise<SessionRecord | undefined> {
    return this.#find(id);
  }

  #find(id: string): SessionRecord | undefined {
    const row = this.#database.get('SELECT * FROM session WHERE id = :id', { id });
    return row === undefined ? undefined : sessionOf(row);
  }

  async end(id: string, ending: SessionEnding, nowMs: number): Promise<boolean> {
    return this.#database.transaction(() => {
      const session = this.#find(id);
      if (session?.state === 'enrolled') this.#useUp(session);
      return this.#end(id, ending, nowMs);
    });
  }

  async withdraw(
    token: Pick<NewSession, 'tokenKey' | 'tokenExpiresMs'>,
    reason: string,
    nowMs: number,
  ): Promise<WithdrawOutcome> {
    const database = this.#database;
    const { tokenKey } = token;
    return database.transaction((): WithdrawOutcome => {
      const consumer = consumerOf(database, tokenKey);
      if (consumer !== undefined) return withdrawOutcomeOf(this.#refusalOf(consumer), consumer);
      const begun = database.get(`SELECT id FROM session WHERE token_key = :tokenKey AND ${living}`, {
        tokenKey,
      });
      if (begun === undefined) {
        this.#useUp({ ...token, id: withdrawnToken });
        return { kind: 'withdrawn', isNew: true };
      }
      const sessionId = textOf(begun, 'id');
      this.#useUp({ ...token, id: sessionId });
      this.#end(sessionId, { state: 'revoked', reason }, nowMs);
      return { kind: 'withdrawn', isNew: true, sessionId };
    });
  }

  /** The token starts no session from here on. */
  #useUp({ id, tokenKey, tokenExpiresMs }: Pick<NewSession, 'id' | 'tokenKey' | 'tokenExpiresMs'>): void {
    this.#database.run(
      'INSERT INTO consumed_token (token_key, session_id, expires_ms) VALUES (:tokenKey, :id, :tokenExpiresMs)',
      { tokenKey, id, tokenExpiresMs },
    );
  }

  #end(id: string, ending: SessionEnding, nowMs: number): boolean {
    const { state, reason } = ending;
    const changed = this.#database.run(
      `UPDATE session SET state = :state, reason = :reason, over_ms = :nowMs WHERE id = :id AND ${living}`,
      { id, state, reason, nowMs },
    );
    if (changed === 0) return false;
    this.#database.run(
      'INSERT INTO session_ending (session_id, state, reason) VALUES (:id, :state, :reason)',
      {
        id,
        state,
        reason,
      },
    );
    return true;
  }

  async expire(nowMs: number, limit = pruneBatch): Promise<readonly SessionRecord[]> {
    const due = `${living} AND (ends_ms <= :nowMs OR (state = 'enrolled' AND commit_by_ms <= :nowMs))`;
    // Nearly always nothing is due, and reading takes no lock.
    if (this.#database.get(`SELECT 1 AS due FROM session WHERE ${due} LIMIT 1`, { nowMs }) === undefined)
      return [];
    return this.#database.transaction(() => {
      const expired: SessionRecord[] = [];
      for (const row of this.#database.all(`SELECT * FROM session WHERE ${due} LIMIT :limit`, {
        nowMs,
        limit,
      })) {
        const session = sessionOf(row);
        const uncommitted = session.state === 'enrolled' && nowMs < session.endsMs;
        const reason = uncommitted ? uncommittedInTime : lifeIsOver;
        this.#end(session.id, { state: 'ended', reason }, nowMs);
        expired.push({ ...session, state: 'ended', reason, overMs: nowMs });
      }
      return expired;
    });
  }

  async restore(session: SessionRecord, nowMs: number): Promise<RestoreOutcome> {
    const { id, tokenKey, committedMs } = session;
    const database = this.#database;
    return database.transaction((): RestoreOutcome => {
      const there = this.#find(id);
      const over = endingOfOver(session);
      const isUsed = committedMs !== undefined || over !== undefined;
      if (there !== undefined && isLost(there)) this.#fill(session);
      if (there?.overMs !== undefined && !isUsed) return { isChanged: false, revoked: [] };
      const isNew = there === undefined;
      if (isNew) this.#insert(session);
      const consumer = consumerOf(database, tokenKey);
      const others = database
        .all(`SELECT id FROM session WHERE token_key = :tokenKey AND id <> :id AND ${living} ORDER BY id`, {
          tokenKey,
          id,
        })
        .map((row) => textOf(row, 'id'));
      if (!isUsed) {
        const isReplaced = others.length > 0 || (consumer !== undefined && consumer !== id);
        if (isReplaced) this.#end(id, { state: 'revoked', reason: supersededReason }, nowMs);
        return { isChanged: isNew || isReplaced, revoked: [] };
      }
      for (const other of others) this.#end(other, { state: 'revoked', reason: usedBefore }, nowMs);
      if (consumer !== undefined && consumer !== id)
        database.run('DELETE FROM consumed_token WHERE token_key = :tokenKey', { tokenKey });
      if (consumer !== id) this.#useUp(session);
      const isCommitted = committedMs !== undefined && this.#markCommitted(id, committedMs);
      const isEnded = over !== undefined && this.#end(id, over, nowMs);
      return { isChanged: isNew || consumer !== id || isCommitted || isEnded, revoked: others };
    });
  }

  /** What was known by its ending alone has its own facts again; its token is refused as used, and not as revoked. */
  #fill(session: SessionRecord): void {
    this.#database.run(
      `UPDATE session SET token_key = :tokenKey, token_expires_ms = :tokenExpiresMs, principal_id = :principalId,
         claims = :claims, posture = :posture, key_thumbprint = :keyThumbprint, agent_version = :agentVersion,
         enrolled_ms = :enrolledMs, commit_by_ms = :commitByMs, ends_ms = :endsMs, committed_ms = :committedMs
       WHERE id = :id`,
      {
        ...factsOf(session),
        committedMs: session.committedMs ?? null,
      },
    );
  }

  #markCommitted(id: string, committedMs: number): boolean {
    const sql = `UPDATE session SET state = 'committed', committed_ms = :committedMs WHERE id = :id AND state = 'enrolled'`;
    return this.#database.run(sql, { id, committedMs }) > 0;
  }

  async restoreEnding(id: string, ending: SessionEnding, nowMs: number): Promise<boolean> {
    return this.#database.transaction(() => {
      const session = this.#find(id);
      if (session === undefined) this.#insert(lostSession(id, nowMs));
      if (session?.state === 'enrolled') this.#useUp(session);
      return this.#end(id, ending, nowMs);
    });
  }

  async list({ living: isLiving, before, limit }: SessionQuery): Promise<readonly SessionRecord[]> {
    const conditions = [
      ...(isLiving === true ? [living] : []),
      ...(before === undefined ? [] : ['(enrolled_ms, id) < (:beforeMs, :beforeId)']),
    ];
    const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
    const sql = `SELECT * FROM session ${where} ORDER BY enrolled_ms DESC, id DESC LIMIT :limit`;
    const parameters: Readonly<Record<string, string | number>> =
      before === undefined ? { limit } : { limit, beforeMs: before.ms, beforeId: before.id };
    return this.#database.all(sql, parameters).map(sessionOf);
  }

  async endingsSince(sequence: number | undefined): ReturnType<SessionStore['endingsSince']> {
    if (sequence === undefined) {
      const row = this.#database.get('SELECT coalesce(max(sequence), 0) AS sequence FROM session_ending');
      return { sequence: row === undefined ? 0 : integerOf(row, 'sequence'), endings: [] };
    }
    const rows = this.#database.all(
      'SELECT sequence, session_id, state, reason FROM session_ending WHERE sequence > :sequence ORDER BY sequence LIMIT 1000',
      { sequence },
    );
    const last = rows.at(-1);
    return {
      sequence: last === undefined ? sequence : integerOf(last, 'sequence'),
      endings: rows.map(endingOf),
    };
  }

  async endedBehind({ overMs, sessionId }: EndedPlace, limit: number): Promise<EndedPage> {
    const rows = this.#database.all(
      `SELECT ending.sequence, late.id AS session_id, late.over_ms, ending.state, ending.reason
       FROM (SELECT id, over_ms FROM session WHERE over_ms >= :overMs AND (over_ms > :overMs OR id > :sessionId)
             ORDER BY over_ms, id LIMIT :limit) AS late
       LEFT JOIN session_ending AS ending ON ending.session_id = late.id ORDER BY late.over_ms, late.id`,
      { overMs, sessionId, limit },
    );
    return endedPageOf(rows, limit);
  }

  async endedSince(overMs: number, limit: number): Promise<readonly NumberedEnding[]> {
    const rows = this.#database.all(
      `SELECT ending.sequence, late.id AS session_id, ending.state, ending.reason
       FROM (SELECT id, over_ms FROM session WHERE over_ms >= :overMs ORDER BY over_ms DESC LIMIT :limit) AS late
       JOIN session_ending AS ending ON ending.session_id = late.id ORDER BY late.over_ms`,
      { overMs, limit },
    );
    return rows.map(endingOf);
  }

  async prune(beforeMs: number): Promise<number> {
    return this.#database.run(
      `DELETE FROM session WHERE id IN
         (SELECT id FROM session WHERE over_ms < :beforeMs ORDER BY over_ms LIMIT ${pruneBatch})`,
      { beforeMs },
    );
  }
}

export class SqliteTokens implements TokenStore {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async consumedBy(tokenKey: string): Promise<string | undefined> {
    return consumerOf(this.#database, tokenKey);
  }

  async prune(nowMs: number): Promise<number> {
    return this.#database.run(
      `DELETE FROM consumed_token WHERE token_key IN
         (SELECT token_key FROM consumed_token WHERE expires_ms <= :nowMs ORDER BY expires_ms LIMIT ${pruneBatch})`,
      { nowMs },
    );
  }
}

function consumerOf(database: SqliteDatabase, tokenKey: string): string | undefined {
  const row = database.get('SELECT session_id FROM consumed_token WHERE token_key = :tokenKey', { tokenKey });
  return row === undefined ? undefined : textOf(row, 'session_id');
}

/** What a session is made of, as values of a statement. */
function factsOf(session: NewSession): Readonly<Record<string, string | number>> {
  return {
    id: session.id,
    tokenKey: session.tokenKey,
    tokenExpiresMs: session.tokenExpiresMs,
    principalId: session.principalId,
    claims: JSON.stringify(session.claims),
    posture: JSON.stringify(session.posture),
    keyThumbprint: session.keyThumbprint,
    agentVersion: session.agentVersion,
    enrolledMs: session.enrolledMs,
    commitByMs: session.commitByMs,
    endsMs: session.endsMs,
  };
}
