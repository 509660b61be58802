// The parts of the audit by day in PostgreSQL: which there are, new ones beforehand, and taking away one whose time is over
// (postgres-audit-days-schema.ts).

import { setTimeout as wait } from 'node:timers/promises';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { removedColumns, removedLinkOf } from '../chain/audit-chain.ts';
import { GatheredRuns } from '../chain/gathered-runs.ts';
import { LinkHasher } from '../chain/link-hash.ts';
import { integerOf, type StoredRow } from '../stored-row.ts';
import { dayMs, locksOfPart, placesOfDay } from './postgres-audit-days-schema.ts';
import { lockAudit } from './postgres-audit-lock.ts';
import type { PostgresChain } from './postgres-chain.ts';
import type { PostgresDatabase, ScriptRun, Statements } from './postgres-database.ts';
import { isLockTimeout } from './postgres-fault.ts';
import { lockClasses } from './postgres-lock.ts';

/** Rows in memory at a time. */
const pageRows = 500;
/** Whoever writes waits for the lock too, while others that read are waited for. */
const dropLockMs = 500;
const dropAttempts = 8;
/** Less than a transaction of ours may be idle. */
const dropPauseMs = 2_000;
/** Reading a day again costs its time. */
const nextTryMs = 600_000;

export class PostgresAuditDays {
  readonly #database: PostgresDatabase;
  readonly #chain: PostgresChain;
  readonly #attempts: number;
  #tryAfterMs = 0;
  /** Of days that went, until somebody asks. */
  #unsigned = 0;

  /** @param attempts to take a day away beside those who read it */
  constructor(database: PostgresDatabase, chain: PostgresChain, attempts = dropAttempts) {
    this.#database = database;
    this.#chain = chain;
    this.#attempts = attempts;
  }

  /** See `AuditStore.makeRoom`. */
  async make(): Promise<number | undefined> {
    const [state] = await this.#database.all(
      `SELECT EXISTS (SELECT 1 FROM audit_day) AS has_days, coalesce(max(day), 0) AS through, ${dayNow} AS today FROM audit_day`,
    );
    if (state?.['has_days'] !== true) return undefined;
    if (integerOf(state, 'through') - integerOf(state, 'today') >= 6) return daysOf(state);
    const made = await this.#database.get('SELECT through, today FROM audit_make_days()');
    return made === undefined ? undefined : daysOf(made);
  }

  /** See `AuditStore.roomProblems`. */
  async problems(keepDays: number): Promise<readonly string[]> {
    const [row = {}] = await this.#database.all(
      `SELECT count(*) AS days, ${dayNow} AS today, current_setting('max_locks_per_transaction')::bigint
         * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint) AS locks FROM audit_day`,
    );
    const days = integerOf(row, 'days');
    if (days === 0) return [noDays];
    const reached = Math.floor((await this.#lastPlace()) / placesOfDay);
    const needed = Math.max(keepDays, days) * locksOfPart;
    const unsigned = this.#unsigned;
    this.#unsigned = 0;
    return [
      ...(reached > integerOf(row, 'today') ? [aheadUntil(reached)] : []),
      ...(needed > integerOf(row, 'locks') ? [tooFewLocks(needed, integerOf(row, 'locks'))] : []),
      ...(unsigned > 0 ? [leftUnsigned(unsigned)] : []),
    ];
  }

  /**
   * Takes away the oldest day if all of it was stored before that time, and gives how many events that were; 0 where the signal ended it.
   * @throws ProxyError store_unavailable where others read for so long that it can't be
   */
  async dropBefore(beforeMs: number, signal?: AbortSignal): Promise<number> {
    if (performance.now() < this.#tryAfterMs) return 0;
    // Behind it another day was begun by then.
    const row = await this.#database.get(
      `SELECT day, next FROM (
         SELECT day, lead(day) OVER (ORDER BY day) AS next, lead(made_ms) OVER (ORDER BY day) AS next_made_ms FROM audit_day
       ) AS one WHERE greatest(next * ${dayMs}, next_made_ms) <= $1 ORDER BY day LIMIT 1`,
      [beforeMs],
    );
    if (row === undefined) return 0;
    const next = integerOf(row, 'next') * placesOfDay;
    // Nobody has stored anything since.
    if ((await this.#lastPlace()) < next) await this.#database.run('SELECT audit_pass_day()');
    if ((await this.#lastPlace()) < next) return 0;
    this.#tryAfterMs = performance.now() + nextTryMs;
    const removed = await this.#drop(integerOf(row, 'day'), signal).catch((error: unknown) => {
      if (error instanceof DropEnded) return 0;
      throw error;
    });
    this.#tryAfterMs = 0;
    return removed;
  }

  async #lastPlace(): Promise<number> {
    return integerOf((await this.#database.get('SELECT last_value AS last FROM audit_place')) ?? {}, 'last');
  }

  /** All of it is read first, beside everybody; then it goes, with what is said of it, in a moment. */
  async #drop(day: number, signal: AbortSignal | undefined): Promise<number> {
    const live = await this.#chain.ready();
    return await this.#database.script(defaultLimits.storeMigrationTimeoutMs, async (run) => {
      const statements = statementsOf(run);
      if (!(await lockRemoval(statements))) return 0;
      await run(`SET LOCAL lock_timeout = ${dropLockMs}`);
      const runs = new GatheredRuns(new LinkHasher(), async (stretch) =>
        live === undefined
          ? { links: new Set(), gone: [] }
          : this.#chain.bordersOf(statements, live, stretch),
      );
      const range = [
        day === 0 ? Number.MIN_SAFE_INTEGER : day * placesOfDay,
        (day + 1) * placesOfDay,
      ] as const;
      if (live !== undefined)
        for await (const row of rowsWithin(statements, range, signal)) {
          const link = removedLinkOf(row);
          if (link !== undefined) await runs.add(link);
        }
      requireGoing(signal);
      await run(sumOfDay, [day, ...range]);
      const gone = runs.take();
      this.#unsigned += runs.left;
      return await attempted(run, { most: this.#attempts, signal }, async () => {
        await lockAudit(statements);
        await run('SELECT audit_drop_day($1)', [day]);
        if (live !== undefined) await this.#chain.sayCut(statements, live, gone);
        return await subtract(statements, day);
      });
    });
  }
}

/** Undoes what was begun. */
class DropEnded extends ProxyError {
  constructor() {
    super('store_unavailable', 'A day of the audit was being removed when the gateway ended.');
  }
}

function requireGoing(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new DropEnded();
}

const noDays =
  'The audit is one table still: others read it when a gateway started, or a gateway of an earlier version served. A later start with the role that owns it gives it its days.';

function aheadUntil(day: number): string {
  const until = new Date(day * dayMs).toISOString().slice(0, 10);
  return `The newest day of the audit is ${until}, later than today by the clock of the database, which may have been ahead once: until then all events go into that day.`;
}

function tooFewLocks(needed: number, locks: number): string {
  return `The database has room for ${locks} locks, and the days of the audit may need ${needed}: raise its max_locks_per_transaction, or keep fewer days.`;
}

function leftUnsigned(links: number): string {
  return `A day of the audit went with more stretches of chains than a day of ours has: ${links} events of it are signed in no cut, and will be found missing.`;
}

/** Of those that remove events one after the other: what a chain says of them is of all. Held until the transaction ends. */
export async function lockRemoval(statements: Statements): Promise<boolean> {
  const row = await statements.get('SELECT pg_try_advisory_xact_lock($1, 0) AS got', [
    lockClasses.auditParts,
  ]);
  return row?.['got'] === true;
}

/** Where the days begin, the newest first; those to come belong to the newest, and what was before them is behind the oldest. */
export async function auditParts(statements: Pick<Statements, 'all'>): Promise<readonly number[]> {
  const rows = await statements.all(
    `SELECT day FROM audit_day WHERE day > 0 AND day <= ${dayNow} ORDER BY day DESC`,
  );
  return rows.map((row) => integerOf(row, 'day') * placesOfDay);
}

const dayNow = 'floor(extract(epoch FROM clock_timestamp()) / 86400)::bigint';

function daysOf(row: StoredRow): number {
  return Math.max(0, integerOf(row, 'through') - integerOf(row, 'today'));
}

/** What the events of a day are in the sums of their holders. */
const sumOfDay = `
  INSERT INTO audit_day_holding (day, holder, events, bytes, later_events, later_bytes)
  SELECT $1, known.holder, count(*), sum(octet_length(event)),
    count(*) FILTER (WHERE sequence > known.first_through),
    coalesce(sum(octet_length(event)) FILTER (WHERE sequence > known.first_through), 0)
  FROM audit JOIN audit_holding AS known ON known.holder = coalesce(session_id, ':' || verdict)
  WHERE sequence >= $2 AND sequence < $3 GROUP BY known.holder`;

/** Gives how many events they are. */
async function subtract(statements: Statements, day: number): Promise<number> {
  await statements.run(
    `UPDATE audit_holding AS held SET events = held.events - gone.events, bytes = held.bytes - gone.bytes,
       later_events = held.later_events - gone.later_events, later_bytes = held.later_bytes - gone.later_bytes
     FROM audit_day_holding AS gone WHERE gone.day = $1 AND gone.holder = held.holder`,
    [day],
  );
  await statements.run('DELETE FROM audit_holding WHERE events <= 0');
  const row = await statements.get(
    `WITH gone AS (DELETE FROM audit_day_holding WHERE day = $1 RETURNING events, bytes),
       summed AS (SELECT coalesce(sum(events), 0)::bigint AS events, coalesce(sum(bytes), 0)::bigint AS bytes FROM gone),
       changed AS (UPDATE audit_total SET events = audit_total.events - summed.events, bytes = audit_total.bytes - summed.bytes FROM summed)
     SELECT events FROM summed`,
    [day],
  );
  await statements.run('DELETE FROM audit_mark WHERE sequence < $1', [(day + 1) * placesOfDay]);
  return row === undefined ? 0 : integerOf(row, 'events');
}

async function* rowsWithin(
  statements: Statements,
  [from, below]: readonly [number, number],
  signal: AbortSignal | undefined,
): AsyncGenerator<StoredRow> {
  for (let place = from; ;) {
    requireGoing(signal);
    const rows = await statements.all(
      `SELECT sequence, ${removedColumns} FROM audit WHERE sequence >= $1 AND sequence < $2 ORDER BY sequence LIMIT ${pageRows}`,
      [place, below],
    );
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < pageRows) return;
    place = integerOf(last, 'sequence') + 1;
  }
}

/** Whoever reads is waited for a moment at a time, and in between everybody goes on. */
async function attempted<T>(
  run: ScriptRun,
  { most, signal }: { readonly most: number; readonly signal: AbortSignal | undefined },
  body: () => Promise<T>,
): Promise<T> {
  for (let attempts = 1; ; attempts += 1) {
    requireGoing(signal);
    await run('SAVEPOINT dropping');
    try {
      return await body();
    } catch (error) {
      if (!isLockTimeout(error)) throw error;
      if (attempts === most)
        throw new ProxyError(
          'store_unavailable',
          'A day of the audit cannot be removed: others read the audit for too long. It is tried again.',
          { cause: error },
        );
    }
    await run('ROLLBACK TO SAVEPOINT dropping');
    await wait(dropPauseMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  }
}

function statementsOf(run: ScriptRun): Statements {
  const all: Statements['all'] = async (sql, values = []) => (await run(sql, values)).rows;
  return {
    all,
    get: async (sql, values) => (await all(sql, values))[0],
    run: async (sql, values = []) => (await run(sql, values)).rowCount ?? 0,
  };
}
