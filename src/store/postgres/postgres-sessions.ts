// Sessions in PostgreSQL. Each method is one transaction; what decides about a token holds the token's lock first.

import { ProxyError } from '../../protocol/error.ts';
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
import { integerOf, type StoredRow, textOf } from '../stored-row.ts';
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
  type WithdrawOutcome,
  pruneBatch,
  withdrawnToken,
} from '../store.ts';
import { columns, living, narrow, narrowingsOf, sessionsBelow } from './postgres-children.ts';
import type { PostgresDatabase, Statements } from './postgres-database.ts';
import { lock } from './postgres-lock.ts';
import type { PostgresShare } from './postgres-share.ts';
import { consumerOf, refusalOf, useUp } from './postgres-tokens.ts';

/** As the partial indexes have it, each half by its own. */
const due = `((${living} AND ends_ms <= $1) OR (state = 'enrolled' AND commit_by_ms <= $1))`;
/** The first of a backlog, however long that is. */
const firstDue = `(SELECT id FROM session WHERE ${living} AND ends_ms <= $1 ORDER BY ends_ms LIMIT $2)
  UNION (SELECT id FROM session WHERE state = 'enrolled' AND commit_by_ms <= $1 ORDER BY commit_by_ms LIMIT $2)`;

interface Ending extends SessionEnding {
  readonly id: string;
}

export class PostgresSessions implements SessionStore {
  readonly #database: PostgresDatabase;
  readonly #share: PostgresShare;

  constructor(database: PostgresDatabase, share: PostgresShare) {
    this.#database = database;
    this.#share = share;
  }

  enrol(session: NewSession, bounds: { readonly enrolmentsPerTokenMax: number }): Promise<EnrolOutcome> {
    const { tokenKey, enrolledMs } = session;
    return this.#database.transaction(async (statements): Promise<EnrolOutcome> => {
      await lock(statements, 'token', tokenKey);
      const consumer = await consumerOf(statements, tokenKey);
      if (consumer !== undefined) return refusalOf(statements, consumer);
      const known = await statements.all('SELECT id, state FROM session WHERE token_key = $1 ORDER BY id', [
        tokenKey,
      ]);
      if (known.length >= bounds.enrolmentsPerTokenMax) return { kind: 'too_many_enrolments' };
      const superseded = known.filter(isLiving).map((row) => textOf(row, 'id'));
      await insert(statements, session);
      const ended = await endAll(
        statements,
        superseded.map((id) => ({ id, state: 'revoked', reason: supersededReason })),
        enrolledMs,
      );
      return { kind: 'enrolled', superseded: ended };
    });
  }

  narrow(child: NewChild, bounds: NarrowBounds): Promise<NarrowOutcome> {
    return this.#database.transaction((statements) =>
      narrow(statements, child, bounds, async (session) => {
        await insert(statements, session);
        await markCommitted(statements, session.id, child.nowMs);
      }),
    );
  }

  narrowingsOf(ids: readonly string[]): Promise<readonly NarrowedSession[]> {
    return narrowingsOf(this.#database, ids);
  }

  below(session: Pick<SessionRecord, 'id' | 'above'>): Promise<readonly SessionRecord[]> {
    return sessionsBelow(this.#database, session);
  }

  commit(id: string, nowMs: number): Promise<CommitOutcome> {
    return this.#database.transaction(async (statements): Promise<CommitOutcome> => {
      const session = await lockSession(statements, id);
      if (session === undefined || session.overMs !== undefined) return { kind: 'over', session };
      if (session.state === 'committed') return { kind: 'already_committed' };
      if (nowMs >= session.commitByMs) return { kind: 'over', session };
      const consumer = await consumerOf(statements, session.tokenKey);
      if (consumer !== undefined) return { kind: 'token_consumed', sessionId: consumer };
      await useUp(statements, session);
      await statements.run(`UPDATE session SET state = 'committed', committed_ms = $2 WHERE id = $1`, [
        id,
        nowMs,
      ]);
      return { kind: 'committed' };
    });
  }

  async find(id: string): Promise<SessionRecord | undefined> {
    const row = await this.#database.get(`SELECT ${columns} FROM session WHERE id = $1`, [id]);
    return row === undefined ? undefined : sessionOf(row);
  }

  end(id: string, ending: SessionEnding, nowMs: number): Promise<boolean> {
    return this.#database.transaction((statements) => endOne(statements, { ...ending, id }, nowMs));
  }

  withdraw(
    token: Pick<NewSession, 'tokenKey' | 'tokenExpiresMs'>,
    reason: string,
    nowMs: number,
  ): Promise<WithdrawOutcome> {
    const { tokenKey } = token;
    return this.#database.transaction(async (statements): Promise<WithdrawOutcome> => {
      await lock(statements, 'token', tokenKey);
      const consumer = await consumerOf(statements, tokenKey);
      if (consumer !== undefined) return withdrawOutcomeOf(await refusalOf(statements, consumer), consumer);
      const begun = await statements.get(
        `SELECT id FROM session WHERE token_key = $1 AND ${living} FOR UPDATE`,
        [tokenKey],
      );
      if (begun === undefined) {
        await useUp(statements, { ...token, id: withdrawnToken });
        return { kind: 'withdrawn', isNew: true };
      }
      const sessionId = textOf(begun, 'id');
      await useUp(statements, { ...token, id: sessionId });
      await endAll(statements, [{ id: sessionId, state: 'revoked', reason }], nowMs);
      return { kind: 'withdrawn', isNew: true, sessionId };
    });
  }

  restoreEnding(id: string, ending: SessionEnding, nowMs: number): Promise<boolean> {
    return this.#database.transaction(async (statements) => {
      // It waits for another gateway that puts it there; then it is the session of that one that ends.
      if ((await insertMissing(statements, lostSession(id, nowMs))) === 0)
        return await endOne(statements, { ...ending, id }, nowMs);
      await endAll(statements, [{ ...ending, id }], nowMs);
      return true;
    });
  }

  async expire(nowMs: number, limit = pruneBatch): Promise<readonly SessionRecord[]> {
    // Nearly always nothing is due, and reading takes no lock.
    const one = await this.#database.get(`SELECT 1 AS due FROM session WHERE ${due} LIMIT 1`, [nowMs]);
    if (one === undefined) return [];
    return await this.#database.transaction(async (statements) => {
      // What another gateway has in hand, it ends.
      const sql = `SELECT ${columns} FROM session WHERE id IN (${firstDue}) AND ${due}
        ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED`;
      const expired: SessionRecord[] = [];
      const endings: Ending[] = [];
      for (const row of await statements.all(sql, [nowMs, limit])) {
        const session = sessionOf(row);
        const isUncommitted = session.state === 'enrolled' && nowMs < session.endsMs;
        const ending = { state: 'ended', reason: isUncommitted ? uncommittedInTime : lifeIsOver } as const;
        endings.push({ id: session.id, ...ending });
        expired.push({ ...session, ...ending, overMs: nowMs });
      }
      await endAll(statements, endings, nowMs);
      return expired;
    });
  }

  restore(session: SessionRecord, nowMs: number): Promise<RestoreOutcome> {
    const { id, tokenKey, committedMs } = session;
    return this.#database.transaction(async (statements): Promise<RestoreOutcome> => {
      await lock(statements, 'token', tokenKey);
      const row = await statements.get(`SELECT ${columns} FROM session WHERE id = $1 FOR UPDATE`, [id]);
      const there = row === undefined ? undefined : sessionOf(row);
      const over = endingOfOver(session);
      const isUsed = committedMs !== undefined || over !== undefined;
      if (there !== undefined && isLost(there)) await fill(statements, session);
      if (there?.overMs !== undefined && !isUsed) return { isChanged: false, revoked: [] };
      if (there === undefined) await insert(statements, session);
      const consumer = await consumerOf(statements, tokenKey);
      const rows = await statements.all(
        `SELECT id FROM session WHERE token_key = $1 AND id <> $2 AND ${living} ORDER BY id`,
        [tokenKey, id],
      );
      const others = rows.map((one) => textOf(one, 'id'));
      const isNew = there === undefined;
      if (!isUsed) {
        const isReplaced = others.length > 0 || (consumer !== undefined && consumer !== id);
        if (isReplaced) await endAll(statements, [{ id, state: 'revoked', reason: supersededReason }], nowMs);
        return { isChanged: isNew || isReplaced, revoked: [] };
      }
      const revoked = await endAll(
        statements,
        others.map((other) => ({ id: other, state: 'revoked', reason: usedBefore })),
        nowMs,
      );
      if (consumer !== undefined && consumer !== id)
        await statements.run('DELETE FROM consumed_token WHERE token_key = $1', [tokenKey]);
      if (consumer !== id) await useUp(statements, session);
      const isCommitted = committedMs !== undefined && (await markCommitted(statements, id, committedMs));
      const ended = over === undefined ? [] : await endAll(statements, [{ ...over, id }], nowMs);
      return { isChanged: isNew || consumer !== id || isCommitted || ended.length > 0, revoked };
    });
  }

  async list({ living: isLiving, before, limit }: SessionQuery): Promise<readonly SessionRecord[]> {
    const conditions = [
      ...(isLiving === true ? [living] : []),
      ...(before === undefined ? [] : ['(enrolled_ms, id) < ($2, $3)']),
    ];
    const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
    const sql = `SELECT ${columns} FROM session ${where} ORDER BY enrolled_ms DESC, id DESC LIMIT $1`;
    const values = before === undefined ? [limit] : [limit, before.ms, before.id];
    const rows = await this.#share.ask(() => this.#database.all(sql, values));
    return rows.map(sessionOf);
  }

  async endingsSince(sequence: number | undefined): ReturnType<SessionStore['endingsSince']> {
    if (sequence === undefined) {
      const row = await this.#database.get('SELECT value FROM change_counter');
      return { sequence: row === undefined ? 0 : integerOf(row, 'value'), endings: [] };
    }
    // One snapshot of both: a counter below the number is that of a standby that had not got all when it took over. Then all is told
    // again, for what its endings are numbered says nothing any more.
    const rows = await this.#database.all(
      `SELECT counter.value, ending.sequence, ending.session_id, ending.state, ending.reason
       FROM change_counter AS counter LEFT JOIN LATERAL (SELECT sequence, session_id, state, reason FROM session_ending
         WHERE sequence > CASE WHEN counter.value < $1 THEN 0 ELSE $1 END ORDER BY sequence LIMIT 1000) AS ending ON true
       ORDER BY ending.sequence`,
      [sequence],
    );
    const endings = rows.filter((row) => row['sequence'] !== null);
    const last = endings.at(-1);
    const counter = rows.map((row) => integerOf(row, 'value'))[0] ?? 0;
    return {
      sequence: last === undefined ? Math.min(sequence, counter) : integerOf(last, 'sequence'),
      endings: endings.map(endingOf),
    };
  }

  async endedBehind({ overMs, sessionId }: EndedPlace, limit: number): Promise<EndedPage> {
    const rows = await this.#database.all(
      `SELECT ending.sequence, late.id AS session_id, late.over_ms, ending.state, ending.reason
       FROM (SELECT id, over_ms FROM session WHERE over_ms >= $1 AND (over_ms, id) > ($1, $2)
             ORDER BY over_ms, id LIMIT $3) AS late
       LEFT JOIN session_ending AS ending ON ending.session_id = late.id ORDER BY late.over_ms, late.id`,
      [overMs, sessionId, limit],
    );
    return endedPageOf(rows, limit);
  }

  async endedSince(overMs: number, limit: number): Promise<readonly NumberedEnding[]> {
    const rows = await this.#database.all(
      `SELECT ending.sequence, late.id AS session_id, ending.state, ending.reason
       FROM (SELECT id, over_ms FROM session WHERE over_ms >= $1 ORDER BY over_ms DESC LIMIT $2) AS late
       JOIN session_ending AS ending ON ending.session_id = late.id ORDER BY late.over_ms`,
      [overMs, limit],
    );
    return rows.map(endingOf);
  }

  prune(beforeMs: number): Promise<number> {
    return this.#database.run(
      `DELETE FROM session WHERE id IN
         (SELECT id FROM session WHERE over_ms < $1 ORDER BY over_ms LIMIT ${pruneBatch} FOR UPDATE SKIP LOCKED)`,
      [beforeMs],
    );
  }
}

function isLiving({ state }: StoredRow): boolean {
  return state === 'enrolled' || state === 'committed';
}

/** The session with its token and its row locked, in that order. */
async function lockSession(statements: Statements, id: string): Promise<SessionRecord | undefined> {
  const named = await statements.get('SELECT token_key FROM session WHERE id = $1', [id]);
  if (named === undefined) return undefined;
  await lock(statements, 'token', textOf(named, 'token_key'));
  const row = await statements.get(`SELECT ${columns} FROM session WHERE id = $1 FOR UPDATE`, [id]);
  return row === undefined ? undefined : sessionOf(row);
}

/** False if there is none that lives. One that was not committed takes its token along. */
async function endOne(statements: Statements, ending: Ending, nowMs: number): Promise<boolean> {
  const session = await lockSession(statements, ending.id);
  if (session?.state !== 'enrolled' && session?.state !== 'committed') return false;
  if (session.state === 'enrolled') await useUp(statements, session);
  await endAll(statements, [ending], nowMs);
  return true;
}

/** What was known by its ending alone has its own facts again; its token is refused as used, and not as revoked. */
async function fill(statements: Statements, session: SessionRecord): Promise<void> {
  await statements.run(
    `UPDATE session SET token_key = $2, token_expires_ms = $3, principal_id = $4, claims = $5, posture = $6,
       key_thumbprint = $7, agent_version = $8, enrolled_ms = $9, commit_by_ms = $10, ends_ms = $11, committed_ms = $12
     WHERE id = $1`,
    [...valuesOf(session), session.committedMs ?? null],
  );
}

function valuesOf(session: NewSession): readonly (string | number)[] {
  return [
    session.id,
    session.tokenKey,
    session.tokenExpiresMs,
    session.principalId,
    JSON.stringify(session.claims),
    JSON.stringify(session.posture),
    session.keyThumbprint,
    session.agentVersion,
    session.enrolledMs,
    session.commitByMs,
    session.endsMs,
  ];
}

async function markCommitted(statements: Statements, id: string, committedMs: number): Promise<boolean> {
  const sql = `UPDATE session SET state = 'committed', committed_ms = $2 WHERE id = $1 AND state = 'enrolled'`;
  return (await statements.run(sql, [id, committedMs])) > 0;
}

async function insert(statements: Statements, session: NewSession): Promise<void> {
  if ((await insertMissing(statements, session)) === 0)
    throw new ProxyError(
      'store_unavailable',
      'Another gateway stored the same session at this moment; try again.',
    );
}

/** How many it inserted: none where there is one of that id. */
async function insertMissing(statements: Statements, session: NewSession): Promise<number> {
  const { rootId, above } = aboveColumns(session);
  return await statements.run(
    `INSERT INTO session (id, token_key, token_expires_ms, principal_id, claims, posture, key_thumbprint,
       agent_version, state, enrolled_ms, commit_by_ms, ends_ms, root_id, above)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'enrolled', $9, $10, $11, $12, $13) ON CONFLICT (id) DO NOTHING`,
    [...valuesOf(session), rootId, above],
  );
}

/**
 * Ends those that live, and gives them. The counter comes last: whoever has it makes all others wait, and its numbers are in the order
 * of the commits.
 */
async function endAll(
  statements: Statements,
  endings: readonly Ending[],
  nowMs: number,
): Promise<readonly string[]> {
  if (endings.length === 0) return [];
  const lists = (of: readonly Ending[]) => [
    of.map(({ id }) => id),
    of.map(({ state }) => state),
    of.map(({ reason }) => reason),
  ];
  const rows = await statements.all(
    `UPDATE session SET state = ending.state, reason = ending.reason, over_ms = $4
     FROM unnest($1::text[], $2::text[], $3::text[]) AS ending (id, state, reason)
     WHERE session.id = ending.id AND session.${living} RETURNING session.id`,
    [...lists(endings), nowMs],
  );
  const changed = new Set(rows.map((row) => textOf(row, 'id')));
  const ended = endings.filter(({ id }) => changed.has(id));
  if (ended.length === 0) return [];
  await statements.run(
    `WITH counted AS (UPDATE change_counter SET value = value + $4 RETURNING value)
     INSERT INTO session_ending (sequence, session_id, state, reason)
     SELECT counted.value - $4 + ending.place, ending.id, ending.state, ending.reason
     FROM counted, unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS ending (id, state, reason, place)`,
    [...lists(ended), ended.length],
  );
  return ended.map(({ id }) => id);
}
