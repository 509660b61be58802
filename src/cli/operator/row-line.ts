// What of a store was copied, as a line; and how far it is.

import type { RowProgress } from '../../store/portable/row-progress.ts';
import type { TableSums } from '../../store/portable/store-rows.ts';

/** Rows of the tables that people know. */
export function rowsLine(sums: TableSums): string {
  const count = (table: string): number => sums.get(table)?.rows ?? 0;
  const all = [...sums.values()].reduce((total, { rows }) => total + rows, 0);
  return `${count('session')} sessions, ${count('consumed_token')} used tokens, ${count('audit')} events, ${all} rows in all`;
}

/** While it is copied. Before the first row it is not known of which table. */
export function progressLine(progress: RowProgress | undefined): string {
  return progress === undefined ? 'opens the stores' : `${progress.table}: ${progress.rows} rows`;
}
