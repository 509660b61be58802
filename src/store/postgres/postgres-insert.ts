// Rows of a portable table, many at a time, into PostgreSQL.

import { ProxyError } from '../../protocol/error.ts';
import { portableTables } from '../portable/portable-tables.ts';
import type { RowBatch } from '../portable/store-rows.ts';
import { unknownColumn } from '../portable/unfit-store.ts';
import type { ScriptRun, Values } from './postgres-database.ts';
import { columnsOf } from './postgres-rows.ts';

/** `inserts`: the statements of the tables so far. */
export async function insertRows(
  run: ScriptRun,
  batch: RowBatch,
  inserts: Map<string, string>,
): Promise<void> {
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
