// Questions of rules in PostgreSQL.

import { approverOf, notedAgainMs, questionOf, standingOutcome } from '../question-row.ts';
import type {
  AskOutcome,
  Decided,
  NewQuestion,
  QuestionBounds,
  QuestionQuery,
  QuestionRecord,
  QuestionStore,
  SeenApprover,
} from '../question-store.ts';
import { pruneBatch } from '../store.ts';
import { integerOf } from '../stored-row.ts';
import type { PostgresDatabase, Statements, Values } from './postgres-database.ts';
import { lock } from './postgres-lock.ts';

const columns = `id, session_id, root_id, principal_id, once_key, wide_key, content, shown, state, answer, created_ms, held_until_ms, pending_until_ms,
  decided_ms, decided_by, ends_ms, note`;
/** By the index of that. */
const rootColumn = 'coalesce(root_id, session_id)';
/** One statement: what was decided, and that something changed. */
const countChange = 'UPDATE change_counter SET value = value + 1 WHERE EXISTS (SELECT 1 FROM decided)';

export class PostgresQuestions implements QuestionStore {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  ask(question: NewQuestion, bounds: QuestionBounds): Promise<AskOutcome> {
    return this.#database.transaction(async (statements): Promise<AskOutcome> => {
      const { sessionId, rootId, onceKey, wideKey, heldUntilMs } = question;
      // Those of one root wait for each other; that of all is about.
      await lock(statements, 'questions', rootId);
      const rows = await statements.all(
        `SELECT ${columns} FROM question
         WHERE ${rootColumn} = $2 AND (state = 'denied' OR (state IN ('pending', 'allowed') AND session_id = $1))
           AND (once_key = $3 OR wide_key = $4) ORDER BY created_ms DESC, id DESC`,
        [sessionId, rootId, onceKey, wideKey],
      );
      const standing = standingOutcome(rows.map(questionOf), question);
      if (standing?.kind === 'joined')
        return { kind: 'joined', record: await prolong(statements, standing.record, heldUntilMs) };
      if (standing !== undefined) return standing;
      const bound = await exceeded(statements, question, bounds);
      if (bound !== undefined) return { kind: 'full', bound };
      await insert(statements, question);
      return { kind: 'asked', record: { ...question, state: 'pending' } };
    });
  }

  async find(id: string): Promise<QuestionRecord | undefined> {
    const row = await this.#database.get(`SELECT ${columns} FROM question WHERE id = $1`, [id]);
    return row === undefined ? undefined : questionOf(row);
  }

  async findAll(ids: readonly string[]): Promise<readonly QuestionRecord[]> {
    const rows = await this.#database.all(`SELECT ${columns} FROM question WHERE id = ANY ($1::text[])`, [
      ids,
    ]);
    return rows.map(questionOf);
  }

  async list({ state, sessionId, before, limit }: QuestionQuery): Promise<readonly QuestionRecord[]> {
    const rows = await this.#database.all(
      `SELECT ${columns} FROM question
       WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR session_id = $2)
         AND ($4::bigint IS NULL OR (created_ms, id) < ($4, $5))
       ORDER BY created_ms DESC, id DESC LIMIT $3`,
      [state ?? null, sessionId ?? null, limit, before?.ms ?? null, before?.id ?? null],
    );
    return rows.map(questionOf);
  }

  decide(id: string, { answer, by, nowMs, endsMs, note }: Decided): Promise<boolean> {
    const state = answer === undefined ? 'denied' : 'allowed';
    return this.#change(
      `UPDATE question SET state = $2, shown = NULL, answer = $3, decided_ms = $4, decided_by = $5, ends_ms = $6, note = $7
       WHERE id = $1 AND state = 'pending' AND pending_until_ms > $4 RETURNING 1`,
      [id, state, answer ?? null, nowMs, by, endsMs ?? null, note ?? null],
    );
  }

  async take(id: string, nowMs: number): Promise<boolean> {
    const changed = await this.#database.run(
      `UPDATE question SET state = 'used'
       WHERE id = $1 AND state = 'allowed' AND answer IN ('once', 'always') AND ends_ms > $2`,
      [id, nowMs],
    );
    return changed > 0;
  }

  close(id: string, { by, nowMs, note }: Pick<Decided, 'by' | 'nowMs' | 'note'>): Promise<boolean> {
    return this.#change(
      `UPDATE question SET state = 'ended', decided_ms = $2, decided_by = $3, note = $4
       WHERE id = $1 AND state = 'allowed' RETURNING 1`,
      [id, nowMs, by, note ?? null],
    );
  }

  async #change(sql: string, values: Values): Promise<boolean> {
    return (await this.#database.run(`WITH decided AS (${sql}) ${countChange}`, values)) > 0;
  }

  async noteApprover({ name, sees, untilMs }: SeenApprover): Promise<void> {
    await this.#database.run(
      `INSERT INTO approver_seen AS known (name, sees, until_ms) VALUES ($1, $2, $3)
       ON CONFLICT (name, sees) DO UPDATE SET until_ms = excluded.until_ms
       WHERE known.until_ms < excluded.until_ms - ${String(notedAgainMs)}`,
      [name, sees ?? '', untilMs],
    );
  }

  async approvers(nowMs: number): Promise<readonly SeenApprover[]> {
    const rows = await this.#database.all(
      'SELECT name, sees, until_ms FROM approver_seen WHERE until_ms > $1 LIMIT 1000',
      [nowMs],
    );
    return rows.map(approverOf);
  }

  async prune(beforeMs: number, nowMs: number): Promise<number> {
    await this.#database.run('DELETE FROM approver_seen WHERE until_ms < $1', [nowMs]);
    await this.#database.run(
      'UPDATE question SET shown = NULL WHERE shown IS NOT NULL AND pending_until_ms < $1',
      [nowMs],
    );
    return await this.#database.run(
      `DELETE FROM question WHERE id IN (SELECT id FROM question WHERE created_ms < $1
         ORDER BY created_ms LIMIT ${pruneBatch} FOR UPDATE SKIP LOCKED)`,
      [beforeMs],
    );
  }
}

/** A client that came back waits again. */
async function prolong(
  statements: Statements,
  record: QuestionRecord,
  heldUntilMs: number,
): Promise<QuestionRecord> {
  await statements.run('UPDATE question SET held_until_ms = greatest(held_until_ms, $2) WHERE id = $1', [
    record.id,
    heldUntilMs,
  ]);
  return { ...record, heldUntilMs: Math.max(record.heldUntilMs, heldUntilMs) };
}

function insert(statements: Statements, question: NewQuestion): Promise<number> {
  const {
    id,
    sessionId,
    rootId,
    principalId,
    onceKey,
    wideKey,
    content,
    shown,
    createdMs,
    heldUntilMs,
    pendingUntilMs,
  } = question;
  return statements.run(
    `INSERT INTO question (id, session_id, root_id, principal_id, once_key, wide_key, content, shown, state, created_ms,
       held_until_ms, pending_until_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', $9, $10, $11)`,
    [
      id,
      sessionId,
      rootId,
      principalId,
      onceKey,
      wideKey,
      JSON.stringify(content),
      shown ?? null,
      createdMs,
      heldUntilMs,
      pendingUntilMs,
    ],
  );
}

async function exceeded(
  statements: Statements,
  { rootId, createdMs: nowMs }: NewQuestion,
  bounds: QuestionBounds,
): Promise<keyof QuestionBounds | undefined> {
  const own = await statements.get(
    `SELECT count(*) AS total, count(*) FILTER (WHERE state = 'pending' AND pending_until_ms > $2) AS pending
     FROM question WHERE ${rootColumn} = $1`,
    [rootId, nowMs],
  );
  if (own !== undefined && integerOf(own, 'pending') >= bounds.askPendingPerSessionMax)
    return 'askPendingPerSessionMax';
  if (own !== undefined && integerOf(own, 'total') >= bounds.askQuestionsPerSessionMax)
    return 'askQuestionsPerSessionMax';
  const all = await statements.get('SELECT count(*) AS total FROM question', []);
  if (all === undefined || integerOf(all, 'total') < bounds.askQuestionsMax) return undefined;
  const removed = await statements.run(
    `DELETE FROM question WHERE id = (SELECT id FROM question
       WHERE state IN ('denied', 'used', 'ended') OR (state = 'pending' AND pending_until_ms <= $1)
       ORDER BY created_ms, id LIMIT 1 FOR UPDATE SKIP LOCKED)`,
    [nowMs],
  );
  return removed > 0 ? undefined : 'askQuestionsMax';
}
