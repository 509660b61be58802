// All rows of a SQLite store, read as they are at one moment, and written into an empty one in one transaction.

import { batchRowsOf, type PortableTable, portableTables } from '../portable/portable-tables.ts';
import {
  type Cell,
  portableText,
  type RowBatch,
  type RowSource,
  type StoreFill,
  type StoreNumbers,
} from '../portable/store-rows.ts';
import { actsLeft, fillingTable, notEmpty, unknownColumn } from '../portable/unfit-store.ts';
import { AuditSums } from './sqlite-audit-sums.ts';
import { markTime } from './sqlite-audit-writer.ts';
import { damagedColumn, integerOf, textOf } from '../stored-row.ts';
import type { Row, SqliteDatabase } from './sqlite-database.ts';

const tablesHere = portableTables.filter(({ only }) => only === undefined);

/** What the connection sees until `endRead`, whatever others write meanwhile. */
export function beginRead(database: SqliteDatabase): RowSource {
  database.script('BEGIN');
  // The first look is the moment.
  const numbers = numbersOf(database);
  return {
    numbers,
    batches: () => allBatches(database),
  };
}

export function endRead(database: SqliteDatabase): void {
  database.script('COMMIT');
}

async function* allBatches(database: SqliteDatabase): AsyncGenerator<RowBatch> {
  for (const table of tablesHere) yield* batchesOf(database, table);
}

function numbersOf(database: SqliteDatabase): StoreNumbers {
  const last = (table: string): number => {
    const row = database.get('SELECT seq FROM sqlite_sequence WHERE name = :table', { table });
    return row === undefined ? 0 : integerOf(row, 'seq');
  };
  const counter = database.get('SELECT value FROM change_counter');
  const counted = counter === undefined ? 0 : integerOf(counter, 'value');
  return { changes: Math.max(counted, last('session_ending')), auditSequence: last('audit') };
}

function* batchesOf(database: SqliteDatabase, table: PortableTable): Generator<RowBatch> {
  const columns = columnsOf(database, table);
  const sql = `SELECT ${columns.join(', ')} FROM ${table.name} ORDER BY ${table.key.join(', ')}`;
  const rowsMax = batchRowsOf(table);
  let rows: (readonly Cell[])[] = [];
  for (const row of database.rows(sql)) {
    rows.push(columns.map((column) => cellOf(row, column)));
    if (rows.length < rowsMax) continue;
    yield { table: table.name, columns, rows };
    rows = [];
  }
  if (rows.length > 0) yield { table: table.name, columns, rows };
}

/** Those that are stored, in the order of the alphabet. */
function columnsOf(database: SqliteDatabase, { name, made = [] }: PortableTable): readonly string[] {
  return database
    .all('SELECT name FROM pragma_table_xinfo(:name) WHERE hidden = 0 ORDER BY name', { name })
    .map((row) => textOf(row, 'name'))
    .filter((column) => !made.includes(column));
}

function cellOf(row: Row, column: string): Cell {
  const value = row[column];
  if (typeof value === 'string') return portableText(value);
  if (typeof value === 'number' || value === null) return value;
  throw damagedColumn(column);
}

/** Marks an empty store, and fills it in one transaction; a throw or a cut leaves it empty, and marked: nobody opens it. Throws as `StoreFill` says, and ProxyError `store_unavailable`. */
export async function fillSqlite(database: SqliteDatabase, { begin, check }: StoreFill): Promise<void> {
  database.transaction(() => {
    requireEmpty(database);
    database.script(`CREATE TABLE IF NOT EXISTS ${fillingTable} (one INTEGER) STRICT`);
  });
  database.script('BEGIN IMMEDIATE');
  try {
    requireEmpty(database);
    const source = begin();
    for await (const batch of source.batches()) insert(database, batch);
    setNumbers(database, source.numbers);
    await check({ numbers: numbersOf(database), batches: () => allBatches(database) });
    database.script(`DROP TABLE IF EXISTS ${fillingTable}`);
    database.script('COMMIT');
  } catch (error) {
    database.undo();
    throw error;
  }
}

function requireEmpty(database: SqliteDatabase): void {
  for (const { name } of tablesHere)
    if (database.get(`SELECT 1 AS found FROM ${name} LIMIT 1`) !== undefined) throw notEmpty(name);
}

function insert(database: SqliteDatabase, { table, columns, rows }: RowBatch): void {
  const known = tablesHere.find(({ name }) => name === table);
  if (known === undefined) {
    // Nobody would ever tell of them.
    if (table === 'operator_act' && rows.length > 0) throw actsLeft();
    return;
  }
  const stored = new Set(columnsOf(database, known));
  const strange = columns.find((column) => !stored.has(column));
  if (strange !== undefined) throw unknownColumn(table, strange);
  const places = columns.map(() => '?').join(', ');
  const sql = `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${places})`;
  for (const row of rows)
    database.insert(
      sql,
      row.map((cell) => (typeof cell === 'boolean' ? Number(cell) : cell)),
    );
  if (table === 'audit') sumUp(database, columns, rows);
}

/** As whoever stores a batch of events does. */
function sumUp(database: SqliteDatabase, columns: RowBatch['columns'], rows: RowBatch['rows']): void {
  const sums = new AuditSums();
  const at = (name: string): number => columns.indexOf(name);
  const [sequence, session, verdict, event] = [at('sequence'), at('session_id'), at('verdict'), at('event')];
  for (const row of rows) {
    const holder = row[session] ?? `:${String(row[verdict])}`;
    const bytes = Buffer.byteLength(String(row[event]));
    sums.add(String(holder), { sequence: Number(row[sequence]), bytes });
  }
  sums.write(database);
  markTime(database);
}

function setNumbers(database: SqliteDatabase, { changes, auditSequence }: StoreNumbers): void {
  database.run('UPDATE change_counter SET value = :changes', { changes });
  // Counts of use come along as they are.
  database.run('UPDATE audit_use_state SET through = :auditSequence', { auditSequence });
  for (const [name, seq] of [
    ['session_ending', changes],
    ['audit', auditSequence],
  ] as const) {
    database.run('DELETE FROM sqlite_sequence WHERE name = :name', { name });
    database.run('INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)', { name, seq });
  }
}
