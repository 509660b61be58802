// Questions of rules in SQLite.

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
import type { SqliteDatabase } from './sqlite-database.ts';

/** Of a root, by the index of that. */
const ofRoot = 'coalesce(root_id, session_id) = :rootId';

export class SqliteQuestions implements QuestionStore {
  readonly #database: SqliteDatabase;
  /** Who is there is written every few seconds, and worth no fsync. */
  readonly #presence: SqliteDatabase;

  constructor(database: SqliteDatabase, presence: SqliteDatabase = database) {
    this.#database = database;
    this.#presence = presence;
  }

  async ask(question: NewQuestion, bounds: QuestionBounds): Promise<AskOutcome> {
    return this.#database.transaction((): AskOutcome => {
      const { sessionId, rootId, onceKey, wideKey, content, shown = null, ...times } = question;
      const known = this.#database
        .all(
          `SELECT * FROM question
           WHERE ${ofRoot} AND (state = 'denied' OR (state IN ('pending', 'allowed') AND session_id = :sessionId))
             AND (once_key = :onceKey OR wide_key = :wideKey) ORDER BY created_ms DESC, id DESC`,
          { sessionId, rootId, onceKey, wideKey },
        )
        .map(questionOf);
      const standing = standingOutcome(known, question);
      if (standing?.kind === 'joined')
        return { kind: 'joined', record: this.#prolong(standing.record, times) };
      if (standing !== undefined) return standing;
      const bound = this.#exceeded(question, bounds);
      if (bound !== undefined) return { kind: 'full', bound };
      this.#database.run(
        `INSERT INTO question (id, session_id, root_id, principal_id, once_key, wide_key, content, shown, state, created_ms,
           held_until_ms, pending_until_ms)
         VALUES (:id, :sessionId, :rootId, :principalId, :onceKey, :wideKey, :content, :shown, 'pending', :createdMs, :heldUntilMs,
           :pendingUntilMs)`,
        { ...times, sessionId, rootId, onceKey, wideKey, shown, content: JSON.stringify(content) },
      );
      return { kind: 'asked', record: { ...question, state: 'pending' } };
    });
  }

  /** A client that came back waits again. */
  #prolong(record: QuestionRecord, { heldUntilMs }: Pick<NewQuestion, 'heldUntilMs'>): QuestionRecord {
    const { id } = record;
    this.#database.run(
      'UPDATE question SET held_until_ms = max(held_until_ms, :heldUntilMs) WHERE id = :id',
      {
        id,
        heldUntilMs,
      },
    );
    return { ...record, heldUntilMs: Math.max(record.heldUntilMs, heldUntilMs) };
  }

  #exceeded(
    { rootId, createdMs: nowMs }: NewQuestion,
    bounds: QuestionBounds,
  ): keyof QuestionBounds | undefined {
    const own = this.#database.get(
      `SELECT count(*) AS total, count(*) FILTER (WHERE state = 'pending' AND pending_until_ms > :nowMs) AS pending
       FROM question WHERE ${ofRoot}`,
      { rootId, nowMs },
    );
    if (own !== undefined && integerOf(own, 'pending') >= bounds.askPendingPerSessionMax)
      return 'askPendingPerSessionMax';
    if (own !== undefined && integerOf(own, 'total') >= bounds.askQuestionsPerSessionMax)
      return 'askQuestionsPerSessionMax';
    const all = this.#database.get('SELECT count(*) AS total FROM question');
    if (all === undefined || integerOf(all, 'total') < bounds.askQuestionsMax) return undefined;
    const removed = this.#database.run(
      `DELETE FROM question WHERE id = (SELECT id FROM question
         WHERE state IN ('denied', 'used', 'ended') OR (state = 'pending' AND pending_until_ms <= :nowMs)
         ORDER BY created_ms, id LIMIT 1)`,
      { nowMs },
    );
    return removed > 0 ? undefined : 'askQuestionsMax';
  }

  async find(id: string): Promise<QuestionRecord | undefined> {
    const row = this.#database.get('SELECT * FROM question WHERE id = :id', { id });
    return row === undefined ? undefined : questionOf(row);
  }

  async findAll(ids: readonly string[]): Promise<readonly QuestionRecord[]> {
    return this.#database
      .all('SELECT * FROM question WHERE id IN (SELECT value FROM json_each(:ids))', {
        ids: JSON.stringify(ids),
      })
      .map(questionOf);
  }

  async list({ state, sessionId, before, limit }: QuestionQuery): Promise<readonly QuestionRecord[]> {
    const [beforeMs, beforeId] = [before?.ms ?? null, before?.id ?? null];
    return this.#database
      .all(
        `SELECT * FROM question
         WHERE (:state IS NULL OR state = :state) AND (:sessionId IS NULL OR session_id = :sessionId)
           AND (:beforeMs IS NULL OR (created_ms, id) < (:beforeMs, :beforeId))
         ORDER BY created_ms DESC, id DESC LIMIT :limit`,
        { state: state ?? null, sessionId: sessionId ?? null, beforeMs, beforeId, limit },
      )
      .map(questionOf);
  }

  async decide(id: string, { answer, by, nowMs, endsMs, note }: Decided): Promise<boolean> {
    const changed = this.#database.run(
      `UPDATE question SET state = :state, shown = NULL, answer = :answer, decided_ms = :nowMs, decided_by = :by, ends_ms = :endsMs, note = :note
       WHERE id = :id AND state = 'pending' AND pending_until_ms > :nowMs`,
      {
        id,
        state: answer === undefined ? 'denied' : 'allowed',
        answer: answer ?? null,
        nowMs,
        by,
        endsMs: endsMs ?? null,
        note: note ?? null,
      },
    );
    return changed > 0;
  }

  async take(id: string, nowMs: number): Promise<boolean> {
    const changed = this.#database.run(
      `UPDATE question SET state = 'used'
       WHERE id = :id AND state = 'allowed' AND answer IN ('once', 'always') AND ends_ms > :nowMs`,
      { id, nowMs },
    );
    return changed > 0;
  }

  async close(id: string, { by, nowMs, note }: Pick<Decided, 'by' | 'nowMs' | 'note'>): Promise<boolean> {
    const changed = this.#database.run(
      `UPDATE question SET state = 'ended', decided_ms = :nowMs, decided_by = :by, note = :note WHERE id = :id AND state = 'allowed'`,
      { id, nowMs, by, note: note ?? null },
    );
    return changed > 0;
  }

  async noteApprover({ name, sees, untilMs }: SeenApprover): Promise<void> {
    const known = this.#presence.get(
      'SELECT until_ms FROM approver_seen WHERE name = :name AND sees = :sees',
      {
        name,
        sees: sees ?? '',
      },
    );
    // Reading takes no lock.
    if (known !== undefined && integerOf(known, 'until_ms') > untilMs - notedAgainMs) return;
    this.#presence.run(
      `INSERT INTO approver_seen (name, sees, until_ms) VALUES (:name, :sees, :untilMs)
       ON CONFLICT (name, sees) DO UPDATE SET until_ms = max(until_ms, excluded.until_ms)`,
      { name, sees: sees ?? '', untilMs },
    );
  }

  async approvers(nowMs: number): Promise<readonly SeenApprover[]> {
    return this.#presence
      .all('SELECT * FROM approver_seen WHERE until_ms > :nowMs LIMIT 1000', { nowMs })
      .map(approverOf);
  }

  async prune(beforeMs: number, nowMs: number): Promise<number> {
    this.#presence.run('DELETE FROM approver_seen WHERE until_ms < :nowMs', { nowMs });
    this.#database.run(
      'UPDATE question SET shown = NULL WHERE shown IS NOT NULL AND pending_until_ms < :nowMs',
      { nowMs },
    );
    return this.#database.run(
      `DELETE FROM question WHERE id IN (SELECT id FROM question
         WHERE created_ms < :beforeMs ORDER BY created_ms LIMIT ${pruneBatch})`,
      { beforeMs },
    );
  }
}
