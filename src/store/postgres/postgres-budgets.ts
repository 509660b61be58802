// What was taken of budgets, in PostgreSQL. The rows go with their session.

import type {
  BudgetAccount,
  BudgetName,
  BudgetOwner,
  BudgetShare,
  BudgetStore,
  ReserveOutcome,
} from '../budget-store.ts';
import { integerOf, textOf } from '../stored-row.ts';
import type { PostgresDatabase, Statements } from './postgres-database.ts';
import { lock } from './postgres-lock.ts';

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
      if (!(await isLiving(statements, sessionId))) return 0;
      const taken = await takenOf(statements, { sessionId, budget }, budgetsPerSessionMax);
      const granted = Math.max(0, Math.min(amount, max - taken));
      if (granted === 0) return 0;
      await statements.run(takeMore, [sessionId, budget, granted]);
      return granted;
    });
  }

  async takenBy(sessionId: string): Promise<ReadonlyMap<string, number>> {
    const rows = await this.#database.all('SELECT budget, taken FROM session_budget WHERE session_id = $1', [
      sessionId,
    ]);
    return new Map(rows.map((row) => [textOf(row, 'budget'), integerOf(row, 'taken')]));
  }

  async takenByPrincipal(
    principalId: string,
    budgets: readonly string[],
  ): Promise<ReadonlyMap<string, number>> {
    const rows = await this.#database.all(
      `SELECT budget, sum(taken)::bigint AS taken FROM session_budget JOIN session ON id = session_id
       WHERE principal_id = $1 AND budget = ANY($2::text[]) GROUP BY budget`,
      [principalId, budgets],
    );
    return new Map(rows.map((row) => [textOf(row, 'budget'), integerOf(row, 'taken')]));
  }

  async giveBack({ sessionId, budget }: BudgetName, amount: number): Promise<void> {
    await this.#database.run(
      'UPDATE session_budget SET taken = greatest(0, taken - $3) WHERE session_id = $1 AND budget = $2',
      [sessionId, budget, amount],
    );
  }

  reserve(
    owner: BudgetOwner,
    shares: readonly BudgetShare[],
    { budgetsPerSessionMax }: { readonly budgetsPerSessionMax: number },
  ): Promise<ReserveOutcome> {
    const { sessionId, principalId } = owner;
    return this.#database.transaction(async (statements): Promise<ReserveOutcome> => {
      if (!(await isLiving(statements, sessionId))) return { kind: 'refused' };
      // What other sessions take is not behind the row of this one.
      if (shares.some(({ of }) => of === 'principal')) await lock(statements, 'budgets', principalId);
      for (const [share, { budget, of, amount, max }] of shares.entries()) {
        const own = await takenOf(
          statements,
          { sessionId, budget },
          budgetsPerSessionMax - shares.length + 1,
        );
        if (own === Number.POSITIVE_INFINITY) return { kind: 'refused' };
        const taken = of === 'session' ? own : await takenByPrincipal(statements, owner, budget);
        const left = Math.max(0, max - taken);
        if (left < amount) return { kind: 'short', share, left };
      }
      for (const { budget, amount } of shares) await statements.run(takeMore, [sessionId, budget, amount]);
      return { kind: 'reserved' };
    });
  }

  settle(
    { sessionId }: BudgetOwner,
    changes: readonly (BudgetAccount & { readonly amount: number })[],
  ): Promise<void> {
    return this.#database.transaction(async (statements) => {
      for (const { budget, amount } of changes)
        await statements.run(
          'UPDATE session_budget SET taken = greatest(0, taken + $3) WHERE session_id = $1 AND budget = $2',
          [sessionId, budget, amount],
        );
    });
  }
}

const takeMore = `INSERT INTO session_budget AS known (session_id, budget, taken) VALUES ($1, $2, $3)
  ON CONFLICT (session_id, budget) DO UPDATE SET taken = known.taken + excluded.taken`;

/** Its row makes those who borrow for one session wait for each other; one that is over borrows nothing. */
export async function isLiving(statements: Statements, sessionId: string): Promise<boolean> {
  const living = await statements.get(
    `SELECT 1 AS living FROM session WHERE id = $1 AND state IN ('enrolled', 'committed') FOR NO KEY UPDATE`,
    [sessionId],
  );
  return living !== undefined;
}

async function takenByPrincipal(
  statements: Statements,
  { principalId }: BudgetOwner,
  budget: string,
): Promise<number> {
  const row = await statements.get(
    `SELECT coalesce(sum(taken), 0)::bigint AS taken FROM session_budget JOIN session ON id = session_id
     WHERE budget = $1 AND principal_id = $2`,
    [budget, principalId],
  );
  return row === undefined ? 0 : integerOf(row, 'taken');
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
