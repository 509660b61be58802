// The audit of a store that is being filled: in transactions of its own, some days in each, as a server has no room for the locks of all days at
// once. Nobody takes them for a store meanwhile: it is marked as not filled, and whoever fills it holds the locks of all other tables.

import { defaultLimits } from '../../protocol/limits.ts';
import { partsAtOnce } from '../audit-engine.ts';
import type { RowBatch } from '../portable/store-rows.ts';
import { fillingTable, notEmpty } from '../portable/unfit-store.ts';
import { integerOf, textOf } from '../stored-row.ts';
import { dayMs, placesOfDay } from './postgres-audit-days-schema.ts';
import { partRanges } from './postgres-audit-parts.ts';
import type { PostgresDatabase, ScriptRun } from './postgres-database.ts';
import { insertRows } from './postgres-insert.ts';
import { usesSetting } from './postgres-use-schema.ts';

/** Each is two parts: its own, and that of the day behind it. */
const daysAtOnce = partsAtOnce / 2;

/** Marks the store, with how many events it was filled with. Whether it was marked before: a fill was cut off. */
export async function markFilling(run: ScriptRun): Promise<boolean> {
  const isMarked = await hasMark(run);
  await run(`CREATE TABLE IF NOT EXISTS ${fillingTable} (one integer)`);
  await run(`INSERT INTO ${fillingTable} SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM ${fillingTable})`);
  return isMarked;
}

async function hasMark(run: ScriptRun): Promise<boolean> {
  const { rows } = await run('SELECT to_regclass($1) IS NOT NULL AS is_marked', [fillingTable]);
  return rows[0]?.['is_marked'] === true;
}

/** Throws `config_invalid` where the audit has events, other than those of a fill that was cut off. */
export async function requireOwnAudit(run: ScriptRun): Promise<void> {
  const counted = `SELECT coalesce(sum(one), 0)::bigint AS events FROM ${fillingTable}`;
  const filled = (await hasMark(run)) ? await eventsOf(run, counted) : 0;
  let events = 0;
  for (const [from, below] of await partRanges(selecting(run))) {
    await run('SAVEPOINT part');
    events += await eventsOf(
      run,
      `SELECT count(*) AS events FROM audit WHERE sequence >= ${from} AND sequence < ${below}`,
    );
    await run('ROLLBACK TO SAVEPOINT part');
    await run('RELEASE SAVEPOINT part');
    if (events > filled) break;
  }
  if (events !== filled) throw notEmpty('audit');
}

async function eventsOf(run: ScriptRun, sql: string): Promise<number> {
  return integerOf((await run(sql)).rows[0] ?? {}, 'events');
}

/** Takes away what a fill that was cut off has left: an empty store stays. */
export async function clearAudit(database: PostgresDatabase): Promise<void> {
  const parts = await database.all(
    `SELECT inhrelid::regclass::text AS part FROM pg_inherits WHERE inhparent = 'audit'::regclass ORDER BY 1`,
  );
  const names = parts.map((row) => textOf(row, 'part'));
  // A store without days is one table.
  const all = names.length === 0 ? ['audit'] : names;
  for (let at = 0; at < all.length; at += partsAtOnce) {
    const some = all.slice(at, at + partsAtOnce);
    await step(database, async (run) => {
      await run(`LOCK TABLE ${some.join(', ')} IN ACCESS EXCLUSIVE MODE`);
      const counts = some.map((name) => `SELECT count(*) AS events FROM ${name}`).join(' UNION ALL ');
      const left = `SET one = one - (SELECT sum(events) FROM (${counts}) AS part) RETURNING one`;
      const [row] = (await run(`UPDATE ${fillingTable} ${left}`)).rows;
      // A program that knows no mark has stored something meanwhile.
      if (Number(row?.['one']) < 0) throw notEmpty('audit');
      await run(`TRUNCATE ${some.join(', ')}`);
    });
  }
  await step(database, (run) => run('TRUNCATE audit_holding, audit_day_holding, audit_mark'));
}

export class AuditFill {
  readonly #database: PostgresDatabase;
  readonly #inserts = new Map<string, string>();
  readonly #days = new Set<number>();

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  /** Events come in the order of their places. */
  async add(batch: RowBatch): Promise<void> {
    for (const rows of fewDays(batch))
      await step(this.#database, async (run) => {
        // They come along as they were counted.
        await run(`SELECT set_config('${usesSetting}', 'told', true)`);
        await this.#makeDays(run, rows);
        await insertRows(run, rows, this.#inserts);
        await run(`UPDATE ${fillingTable} SET one = one + $1`, [rows.rows.length]);
      });
  }

  /** What the trigger would have made of all events in their order. */
  async sum(): Promise<void> {
    const ranges = await partRanges(this.#database);
    for (const [from, below] of ranges) await step(this.#database, (run) => run(sumOf(from, below)));
  }

  /** Each event has to find the part of its day; what no gateway stored does not, and is refused. */
  async #makeDays(run: ScriptRun, batch: RowBatch): Promise<void> {
    for (const day of daysOf(batch)) {
      if (this.#days.has(day)) continue;
      this.#days.add(day);
      // The day behind it says that this one is over.
      for (const one of day === 0 ? [0] : [day, day + 1]) {
        await run('SELECT audit_make_day($1)', [one]);
        // As it was where the events come from: their time begins on their day, not anew.
        await run(`UPDATE audit_day SET made_ms = day * ${dayMs} WHERE day = $1`, [one]);
      }
    }
  }
}

/** Whoever fills the store waits for its last commit, by which all before it are there as well. */
function step<T>(database: PostgresDatabase, body: (run: ScriptRun) => Promise<T>): Promise<T> {
  return database.script(defaultLimits.storeMigrationTimeoutMs, async (run) => {
    await run(`SET LOCAL lock_timeout = ${defaultLimits.storeStatementTimeoutMs}`);
    await run('SET LOCAL synchronous_commit = off');
    return await body(run);
  });
}

function daysOf({ columns, rows }: RowBatch): ReadonlySet<number> {
  const at = columns.indexOf('sequence');
  return new Set(rows.map((row) => dayOf(row[at])));
}

function dayOf(sequence: unknown): number {
  return Math.max(0, Math.floor(Number(sequence) / placesOfDay));
}

/** The same rows, in batches of few days each. */
function fewDays({ table, columns, ...batch }: RowBatch): readonly RowBatch[] {
  const at = columns.indexOf('sequence');
  const batches: { rows: RowBatch['rows'][number][]; days: Set<number> }[] = [];
  for (const row of batch.rows) {
    const day = dayOf(row[at]);
    const last = batches.at(-1);
    if (last !== undefined && (last.days.has(day) || last.days.size < daysAtOnce)) {
      last.rows.push(row);
      last.days.add(day);
    } else batches.push({ rows: [row], days: new Set([day]) });
  }
  return batches.map(({ rows }) => ({ table, columns, rows }));
}

function selecting(run: ScriptRun): Parameters<typeof partRanges>[0] {
  return { all: async (sql, values) => (await run(sql, values)).rows };
}

/** Upon what the days before came to. */
function sumOf(from: number, below: number): string {
  return `
    INSERT INTO audit_holding AS held (holder, events, bytes, first_events, first_through, later_events, later_bytes)
      SELECT holder, count(*), sum(bytes), least(count(*), 1000),
        coalesce(max(sequence) FILTER (WHERE place <= 1000), max(known_through)),
        count(*) FILTER (WHERE place > 1000), coalesce(sum(bytes) FILTER (WHERE place > 1000), 0)
      FROM (
        SELECT one.holder, sequence, one.bytes, known.first_through AS known_through,
          coalesce(known.events, 0) + row_number() OVER (PARTITION BY one.holder ORDER BY sequence) AS place
        FROM (
          SELECT coalesce(session_id, ':' || verdict) AS holder, sequence, octet_length(event) AS bytes FROM audit
          WHERE sequence >= ${from} AND sequence < ${below}
        ) AS one LEFT JOIN audit_holding AS known ON known.holder = one.holder
      ) AS placed
      GROUP BY holder
    ON CONFLICT (holder) DO UPDATE SET events = held.events + excluded.events, bytes = held.bytes + excluded.bytes,
      first_events = least(held.events + excluded.events, 1000), first_through = excluded.first_through,
      later_events = held.later_events + excluded.later_events, later_bytes = held.later_bytes + excluded.later_bytes`;
}
