// All rows of a SQLite store, read as they are at one moment, and written into an empty one in one transaction.

import { batchRowsOf, type PortableTable, portableTables } from '../portable/portable-tables.ts';
import {
  type Cell,
  portableText,
  type RowBatch,
  type RowSource,
  type StoreNumbers,
} from '../portable/store-rows.ts';
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
  return { changes: last('session_ending'), auditSequence: last('audit') };
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
