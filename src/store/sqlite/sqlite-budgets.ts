// What was taken of budgets, in SQLite. The rows go with their session.

import type {
  BudgetAccount,
  BudgetName,
  BudgetOwner,
  BudgetShare,
  BudgetStore,
  ReserveOutcome,
} from '../budget-store.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { integerOf, textOf } from '../stored-row.ts';

export class SqliteBudgets implements BudgetStore {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async borrow(
    name: BudgetName,
    amount: number,
    { max, budgetsPerSessionMax }: { readonly max: number; readonly budgetsPerSessionMax: number },
  ): Promise<number> {
    return this.#database.transaction(() => {
      const taken = this.#taken(name);
      if (taken === undefined && !this.#hasRoom(name.sessionId, budgetsPerSessionMax)) return 0;
      const granted = Math.max(0, Math.min(amount, max - (taken ?? 0)));
      if (granted === 0) return 0;
      // Selected from the sessions: one that is over borrows nothing.
      const changed = this.#database.run(
        `INSERT INTO session_budget (session_id, budget, taken)
         SELECT id, :budget, :granted FROM session WHERE id = :sessionId AND state IN ('enrolled', 'committed')
         ON CONFLICT (session_id, budget) DO UPDATE SET taken = taken + excluded.taken`,
        { ...name, granted },
      );
      return changed === 0 ? 0 : granted;
    });
  }

  async takenBy(sessionId: string): Promise<ReadonlyMap<string, number>> {
    const rows = this.#database.all(
      'SELECT budget, taken FROM session_budget WHERE session_id = :sessionId',
      {
        sessionId,
      },
    );
    return new Map(rows.map((row) => [textOf(row, 'budget'), integerOf(row, 'taken')]));
  }

  async takenByPrincipal(
    principalId: string,
    budgets: readonly string[],
  ): Promise<ReadonlyMap<string, number>> {
    const rows = this.#database.all(
      `SELECT budget, sum(taken) AS taken FROM session_budget JOIN session ON id = session_id
       WHERE principal_id = :principalId AND budget IN (SELECT value FROM json_each(:budgets)) GROUP BY budget`,
      { principalId, budgets: JSON.stringify(budgets) },
    );
    return new Map(rows.map((row) => [textOf(row, 'budget'), integerOf(row, 'taken')]));
  }

  async giveBack(name: BudgetName, amount: number): Promise<void> {
    this.#database.run(
      `UPDATE session_budget SET taken = max(0, taken - :amount)
       WHERE session_id = :sessionId AND budget = :budget`,
      { ...name, amount },
    );
  }

  async reserve(
    owner: BudgetOwner,
    shares: readonly BudgetShare[],
    { budgetsPerSessionMax }: { readonly budgetsPerSessionMax: number },
  ): Promise<ReserveOutcome> {
    const { sessionId } = owner;
    return this.#database.transaction((): ReserveOutcome => {
      const living = `SELECT 1 AS living FROM session WHERE id = :sessionId AND state IN ('enrolled', 'committed')`;
      if (this.#database.get(living, { sessionId }) === undefined) return { kind: 'refused' };
      for (const [share, { budget, of, amount, max }] of shares.entries()) {
        const own = this.#taken({ sessionId, budget });
        if (own === undefined && !this.#hasRoom(sessionId, budgetsPerSessionMax - shares.length + 1))
          return { kind: 'refused' };
        const left = Math.max(0, max - (of === 'session' ? (own ?? 0) : this.#takenTogether(owner, budget)));
        if (left < amount) return { kind: 'short', share, left };
      }
      for (const { budget, amount } of shares)
        this.#database.run(
          `INSERT INTO session_budget (session_id, budget, taken) VALUES (:sessionId, :budget, :amount)
           ON CONFLICT (session_id, budget) DO UPDATE SET taken = taken + excluded.taken`,
          { sessionId, budget, amount },
        );
      return { kind: 'reserved' };
    });
  }

  async settle(
    { sessionId }: BudgetOwner,
    changes: readonly (BudgetAccount & { readonly amount: number })[],
  ): Promise<void> {
    this.#database.transaction(() => {
      for (const { budget, amount } of changes)
        this.#database.run(
          `UPDATE session_budget SET taken = max(0, taken + :amount)
           WHERE session_id = :sessionId AND budget = :budget`,
          { sessionId, budget, amount },
        );
    });
  }

  #takenTogether({ principalId }: BudgetOwner, budget: string): number {
    const row = this.#database.get(
      `SELECT coalesce(sum(taken), 0) AS taken FROM session_budget JOIN session ON id = session_id
       WHERE budget = :budget AND principal_id = :principalId`,
      { budget, principalId },
    );
    return row === undefined ? 0 : integerOf(row, 'taken');
  }

  #taken(name: BudgetName): number | undefined {
    const row = this.#database.get(
      'SELECT taken FROM session_budget WHERE session_id = :sessionId AND budget = :budget',
      { ...name },
    );
    return row === undefined ? undefined : integerOf(row, 'taken');
  }

  #hasRoom(sessionId: string, max: number): boolean {
    const row = this.#database.get(
      'SELECT count(*) AS count FROM session_budget WHERE session_id = :sessionId',
      {
        sessionId,
      },
    );
    return row === undefined || integerOf(row, 'count') < max;
  }
}
