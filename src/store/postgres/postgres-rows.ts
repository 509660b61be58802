// All rows of a PostgreSQL store, as they are at one moment.

import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { batchRowsOf, type PortableTable, portableTables } from '../portable/portable-tables.ts';
import type { Cell, RowBatch, RowSource, StoreNumbers } from '../portable/store-rows.ts';
import { damagedColumn, integerOf, type StoredRow, textOf } from '../stored-row.ts';
import { placesOfDay } from './postgres-audit-days-schema.ts';
import { partRanges, type PlaceRange } from './postgres-audit-parts.ts';
import type { PostgresDatabase, ScriptRun, Statements } from './postgres-database.ts';

/** Gives the store as it is at one moment to `body`, however long that takes and whatever others write meanwhile. */
export function readPostgres<T>(
  database: PostgresDatabase,
  body: (source: RowSource) => Promise<T>,
): Promise<T> {
  return database.script(defaultLimits.storeMigrationTimeoutMs, async (run) => {
    await run('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await waitForOtherSide(run);
    const numbers = await numbersOf(run);
    return await body({ numbers, batches: () => allBatches(run) });
  });
}

/** The other side reads a file or writes one, and may be slow. */
export async function waitForOtherSide(run: ScriptRun): Promise<void> {
  await run(`SET LOCAL idle_in_transaction_session_timeout = ${defaultLimits.storeMigrationTimeoutMs}`);
}

export async function numbersOf(run: ScriptRun): Promise<StoreNumbers> {
  const [row = {}] = (
    await run(
      `SELECT value AS changes, CASE WHEN is_called THEN last_value ELSE 0 END AS audit
       FROM change_counter, ${await auditSequence(run)}`,
    )
  ).rows;
  return { changes: integerOf(row, 'changes'), auditSequence: integerOf(row, 'audit') };
}

/** Its name, quoted. */
export async function auditSequence(run: ScriptRun): Promise<string> {
  const [row = {}] = (await run(`SELECT pg_get_serial_sequence('audit', 'sequence') AS name`)).rows;
  return textOf(row, 'name');
}

export async function* allBatches(run: ScriptRun): AsyncGenerator<RowBatch> {
  for (const table of portableTables)
    if (table.name === 'audit') yield* auditBatches(run, table);
    else yield* batchesOf(run, table);
}

/**
 * Some days of the audit at a time, as their locks are given up with what is rolled back: nothing was written. What is read stays that of the one
 * moment. A day that retention drops before its turn is noticed.
 */
async function* auditBatches(run: ScriptRun, table: PortableTable): AsyncGenerator<RowBatch> {
  const all: Statements['all'] = async (sql, values) => (await run(sql, values)).rows;
  for (const range of await partRanges({ all })) {
    await run('SAVEPOINT part');
    yield* batchesOf(run, table, range);
    await run('ROLLBACK TO SAVEPOINT part');
    await run('RELEASE SAVEPOINT part');
  }
}

async function* batchesOf(
  run: ScriptRun,
  table: PortableTable,
  range?: PlaceRange,
): AsyncGenerator<RowBatch> {
  const { name, key } = table;
  const columns = (await columnsOf(run, table)).map((column) => column.name);
  const where = range === undefined ? '' : `WHERE sequence >= ${range[0]} AND sequence < ${range[1]}`;
  await run(
    `DECLARE batches NO SCROLL CURSOR FOR SELECT ${columns.join(', ')} FROM ${name} ${where} ORDER BY ${key.join(', ')}`,
  );
  if (range !== undefined) await requireDays(run, range);
  for (;;) {
    const { rows } = await run(`FETCH ${batchRowsOf(table)} FROM batches`);
    if (rows.length === 0) break;
    yield { table: name, columns, rows: rows.map((row) => columns.map((column) => cellOf(row, column))) };
  }
  await run('CLOSE batches');
}

/** Which days there were is of the moment that is read; which tables there are, of now. They are locked by now. */
async function requireDays(run: ScriptRun, [from, below]: PlaceRange): Promise<void> {
  const { rows } = await run(
    `SELECT min(day) AS day FROM audit_day WHERE (day + 1) * $3 > $1 AND day * $3 < $2 AND to_regclass(
       'audit_' || CASE day WHEN 0 THEN 'before_days' ELSE to_char(to_timestamp(day * 86400) AT TIME ZONE 'UTC', 'YYYY_MM_DD') END) IS NULL`,
    [from, below, placesOfDay],
  );
  if (rows[0]?.['day'] !== null && rows[0] !== undefined)
    throw new ProxyError(
      'store_unavailable',
      'A day of the audit was removed (audit.keepDays) before it was read; do it again.',
      { retryAfterSeconds: defaultLimits.storeRetryAfterSeconds },
    );
}

interface Column {
  readonly name: string;
  /** As PostgreSQL writes it. */
  readonly type: string;
}

/** In the order of the alphabet. */
export async function columnsOf(
  run: ScriptRun,
  { name, made = [] }: PortableTable,
): Promise<readonly Column[]> {
  const { rows } = await run(
    `SELECT attname::text AS name, format_type(atttypid, atttypmod) AS type FROM pg_catalog.pg_attribute
     WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attname::text COLLATE "C"`,
    [name],
  );
  return rows
    .map((row) => ({ name: textOf(row, 'name'), type: textOf(row, 'type') }))
    .filter((column) => !made.includes(column.name));
}

function cellOf(row: StoredRow, column: string): Cell {
  const value = row[column];
  if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) return value as Cell;
  throw damagedColumn(column);
}
