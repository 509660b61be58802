// What was taken of budgets, in PostgreSQL. The rows go with their session.

import type { BudgetName, BudgetStore } from '../budget-store.ts';
import { integerOf } from '../stored-row.ts';
import type { PostgresDatabase, Statements } from './postgres-database.ts';

export class PostgresBudgets implements BudgetStore {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  borrow(
    { sessionId, budget }: BudgetName,
    amount: number,
    { max, budgetsPerSessionMax }: { readonly max: number; readonly budgetsPerSessionMax: number },
  ): Promise<number> {
    return this.#database.transaction(async (statements) => {
      // Its row makes those who borrow for one session wait for each other; one that is over borrows nothing.
      const living = await statements.get(
        `SELECT 1 AS living FROM session WHERE id = $1 AND state IN ('enrolled', 'committed') FOR NO KEY UPDATE`,
        [sessionId],
      );
      if (living === undefined) return 0;
      const taken = await takenOf(statements, { sessionId, budget }, budgetsPerSessionMax);
      const granted = Math.max(0, Math.min(amount, max - taken));
      if (granted === 0) return 0;
      await statements.run(
        `INSERT INTO session_budget AS known (session_id, budget, taken) VALUES ($1, $2, $3)
         ON CONFLICT (session_id, budget) DO UPDATE SET taken = known.taken + excluded.taken`,
        [sessionId, budget, granted],
      );
      return granted;
    });
  }

  async giveBack({ sessionId, budget }: BudgetName, amount: number): Promise<void> {
    await this.#database.run(
      'UPDATE session_budget SET taken = greatest(0, taken - $3) WHERE session_id = $1 AND budget = $2',
      [sessionId, budget, amount],
    );
  }
}

/** Infinity where the session has no room for one more budget. */
async function takenOf(
  statements: Statements,
  { sessionId, budget }: BudgetName,
  budgetsPerSessionMax: number,
): Promise<number> {
  const [row = {}] = await statements.all(
    `SELECT count(*) AS budgets, count(*) FILTER (WHERE budget = $2) AS known,
       coalesce(sum(taken) FILTER (WHERE budget = $2), 0)::bigint AS taken
     FROM session_budget WHERE session_id = $1`,
    [sessionId, budget],
  );
  const hasRoom = integerOf(row, 'known') > 0 || integerOf(row, 'budgets') < budgetsPerSessionMax;
  return hasRoom ? integerOf(row, 'taken') : Number.POSITIVE_INFINITY;
}
