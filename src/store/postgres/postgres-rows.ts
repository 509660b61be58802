// All rows of a PostgreSQL store, read as they are at one moment, and written into an empty one in one transaction.

import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { batchRowsOf, type PortableTable, portableTables } from '../portable/portable-tables.ts';
import type { Cell, RowBatch, RowSource, StoreFill, StoreNumbers } from '../portable/store-rows.ts';
import { fillingTable, notEmpty, unknownColumn } from '../portable/unfit-store.ts';
import { damagedColumn, integerOf, type StoredRow, textOf } from '../stored-row.ts';
import { dayMs, placesOfDay } from './postgres-audit-days-schema.ts';
import { partRanges, type PlaceRange } from './postgres-audit-parts.ts';
import type { PostgresDatabase, ScriptRun, Statements, Values } from './postgres-database.ts';
import { usesSetting } from './postgres-use-schema.ts';

/** Which store the state was copied from, so that a copy that is there is not taken for another one. */
const originTable = 'store_origin';

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

/**
 * Marks an empty store, and fills it in one transaction: until its commit nobody opens it, or sees or writes anything of it, and a cut leaves it
 * empty and marked. `already`: it was filled from that origin before.
 * @throws ProxyError store_unavailable, config_invalid where it is not empty, and what `begin` and `check` throw
 */
export async function fillPostgres(
  database: PostgresDatabase,
  { begin, check }: StoreFill,
  origin?: string,
): Promise<'filled' | 'already'> {
  const timeoutMs = defaultLimits.storeMigrationTimeoutMs;
  const marked = await database.script(timeoutMs, async (run) => {
    if (!(await lockEmpty(run, origin))) return false;
    // Only the owner may: whoever is not is told before anything is marked.
    await run('ALTER TABLE ONLY audit ENABLE TRIGGER audit_stored');
    await run(`CREATE TABLE IF NOT EXISTS ${fillingTable} (one integer)`);
    return true;
  });
  if (!marked) return 'already';
  return await database.script(timeoutMs, async (run) => {
    await waitForOtherSide(run);
    if (!(await lockEmpty(run, origin))) return 'already';
    // The trigger would change the sums with each batch: within one transaction every change of a row makes the next one slower.
    await run('ALTER TABLE ONLY audit DISABLE TRIGGER audit_stored');
    // They come along as they were counted.
    await run(`SELECT set_config('${usesSetting}', 'told', true)`);
    const source = begin();
    const inserts = new Map<string, string>();
    const days = new Set<number>();
    for await (const batch of source.batches()) {
      if (batch.table === 'audit') await makeDays(run, batch, days);
      await insert(run, batch, inserts);
    }
    await run(sumAudit);
    await run('ALTER TABLE ONLY audit ENABLE TRIGGER audit_stored');
    await setNumbers(run, source.numbers);
    await check({ numbers: await numbersOf(run), batches: () => allBatches(run) });
    await holdLeftOpen(run);
    if (origin !== undefined) {
      await run(`CREATE TABLE ${originTable} (id text NOT NULL, at timestamptz NOT NULL)`);
      await run(`INSERT INTO ${originTable} VALUES ($1, clock_timestamp())`, [origin]);
    }
    await run(`DROP TABLE IF EXISTS ${fillingTable}`);
    return 'filled';
  });
}

/** False: it was filled from that origin. */
async function lockEmpty(run: ScriptRun, origin: string | undefined): Promise<boolean> {
  await run(`SET LOCAL lock_timeout = ${defaultLimits.storeStatementTimeoutMs}`);
  // Who opens the store reads its version first, and waits here.
  await run(
    `LOCK TABLE schema_version, ${portableTables.map(({ name }) => name).join(', ')} IN ACCESS EXCLUSIVE MODE`,
  );
  if (origin !== undefined && (await originOf(run)) === origin) return false;
  for (const { name } of portableTables)
    if ((await run(`SELECT 1 AS found FROM ${name} LIMIT 1`)).rows.length > 0) throw notEmpty(name);
  return true;
}

/** What the trigger would have made of all events in their order. */
const sumAudit = `
  INSERT INTO audit_holding (holder, events, bytes, first_events, first_through, later_events, later_bytes)
    SELECT holder, count(*), sum(bytes), least(count(*), 1000), max(sequence) FILTER (WHERE place <= 1000),
      count(*) FILTER (WHERE place > 1000), coalesce(sum(bytes) FILTER (WHERE place > 1000), 0)
    FROM (
      SELECT holder, sequence, bytes, row_number() OVER (PARTITION BY holder ORDER BY sequence) AS place
      FROM (SELECT coalesce(session_id, ':' || verdict) AS holder, sequence, octet_length(event) AS bytes FROM audit) AS one
    ) AS placed
    GROUP BY holder;
  UPDATE audit_total SET (events, bytes) = (SELECT coalesce(sum(events), 0), coalesce(sum(bytes), 0) FROM audit_holding)`;

/** The other side reads a file or writes one, and may be slow. */
async function waitForOtherSide(run: ScriptRun): Promise<void> {
  await run(`SET LOCAL idle_in_transaction_session_timeout = ${defaultLimits.storeMigrationTimeoutMs}`);
}

async function originOf(run: ScriptRun): Promise<string | undefined> {
  const { rows } = await run('SELECT to_regclass($1) IS NOT NULL AS known', [originTable]);
  if (rows[0]?.['known'] !== true) return undefined;
  const [row] = (await run(`SELECT id FROM ${originTable}`)).rows;
  return row === undefined ? undefined : textOf(row, 'id');
}

async function numbersOf(run: ScriptRun): Promise<StoreNumbers> {
  const [row = {}] = (
    await run(
      `SELECT value AS changes, CASE WHEN is_called THEN last_value ELSE 0 END AS audit
       FROM change_counter, ${await auditSequence(run)}`,
    )
  ).rows;
  return { changes: integerOf(row, 'changes'), auditSequence: integerOf(row, 'audit') };
}

/** Its name, quoted. */
async function auditSequence(run: ScriptRun): Promise<string> {
  const [row = {}] = (await run(`SELECT pg_get_serial_sequence('audit', 'sequence') AS name`)).rows;
  return textOf(row, 'name');
}

async function setNumbers(run: ScriptRun, { changes, auditSequence: audit }: StoreNumbers): Promise<void> {
  await run('UPDATE change_counter SET value = $1::bigint', [changes]);
  if (audit > 0) await run(`SELECT setval('${await auditSequence(run)}', $1::bigint)`, [audit]);
  // The next act would have the number of one that is there.
  await run(
    `SELECT setval(pg_get_serial_sequence('operator_act', 'sequence'), max(sequence)) FROM operator_act HAVING count(*) > 0`,
  );
}

/** What runs at a gateway that is still to come has the time to tell how it ended. */
async function holdLeftOpen(run: ScriptRun): Promise<void> {
  await run(
    `INSERT INTO audit_spool (id, sequence, delivered_at, is_finished)
     SELECT DISTINCT holder, 0, clock_timestamp(), false FROM audit_open ON CONFLICT (id) DO NOTHING`,
  );
}

async function* allBatches(run: ScriptRun): AsyncGenerator<RowBatch> {
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
async function columnsOf(run: ScriptRun, { name, made = [] }: PortableTable): Promise<readonly Column[]> {
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

/** Events come in the order of their places, and each has to find the part of its day; what no gateway stored does not, and is refused. */
async function makeDays(run: ScriptRun, { columns, rows }: RowBatch, made: Set<number>): Promise<void> {
  const at = columns.indexOf('sequence');
  for (const row of rows) {
    const day = Math.max(0, Math.floor(Number(row[at]) / placesOfDay));
    if (made.has(day)) continue;
    made.add(day);
    // The day behind it says that this one is over.
    for (const one of day === 0 ? [0] : [day, day + 1]) {
      await run('SELECT audit_make_day($1)', [one]);
      // As it was where the events come from: their time begins on their day, not anew.
      await run(`UPDATE audit_day SET made_ms = day * ${dayMs} WHERE day = $1`, [one]);
    }
  }
}

async function insert(run: ScriptRun, batch: RowBatch, inserts: Map<string, string>): Promise<void> {
  const { table, columns, rows } = batch;
  let sql = inserts.get(table);
  if (sql === undefined) inserts.set(table, (sql = await insertOf(run, batch)));
  const lists: Values = columns.map((_, at) => rows.map((row) => row[at] ?? null) as Values[number]);
  await run(sql, lists);
}

async function insertOf(run: ScriptRun, { table, columns }: RowBatch): Promise<string> {
  const known = portableTables.find(({ name }) => name === table);
  if (known === undefined) throw new ProxyError('config_invalid', `there is no table ${table}`);
  const types = new Map((await columnsOf(run, known)).map(({ name, type }) => [name, type]));
  const lists = columns.map((column, at) => {
    const type = types.get(column);
    if (type === undefined) throw unknownColumn(table, column);
    return `$${at + 1}::${type}[]`;
  });
  const now =
    table === 'audit_spool' ? { column: ', delivered_at', value: ', clock_timestamp()' } : undefined;
  const names = columns.join(', ');
  return `INSERT INTO ${table} (${names}${now?.column ?? ''}) OVERRIDING SYSTEM VALUE
    SELECT ${names}${now?.value ?? ''} FROM unnest(${lists.join(', ')}) WITH ORDINALITY AS given (${names}, place) ORDER BY place`;
}
