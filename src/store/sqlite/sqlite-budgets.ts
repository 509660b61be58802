// What was taken of budgets, in SQLite. The rows go with their session.

import type { BudgetName, BudgetStore } from '../budget-store.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { integerOf } from '../stored-row.ts';

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

  async giveBack(name: BudgetName, amount: number): Promise<void> {
    this.#database.run(
      `UPDATE session_budget SET taken = max(0, taken - :amount)
       WHERE session_id = :sessionId AND budget = :budget`,
      { ...name, amount },
    );
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
