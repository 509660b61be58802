// What of a store was copied, as a line; and how far it is, on a terminal.

import type { RowProgress } from '../../store/portable/row-progress.ts';
import type { TableSums } from '../../store/portable/store-rows.ts';

/** Rows of the tables that people know. */
export function rowsLine(sums: TableSums): string {
  const count = (table: string): number => sums.get(table)?.rows ?? 0;
  const all = [...sums.values()].reduce((total, { rows }) => total + rows, 0);
  return `${count('session')} sessions, ${count('consumed_token')} used tokens, ${count('audit')} events, ${all} rows in all`;
}

const shownEveryMs = 200;

/** One line that is written again and again; nothing where standard error is no terminal. */
export function terminalProgress(): {
  readonly show: (progress: RowProgress) => void;
  readonly end: () => void;
} {
  let shownMs = -Infinity;
  return {
    show: ({ table, rows }) => {
      if (!process.stderr.isTTY || performance.now() - shownMs < shownEveryMs) return;
      shownMs = performance.now();
      process.stderr.write(`\r\u001b[K${table}: ${rows}`);
    },
    end: () => {
      if (shownMs > 0) process.stderr.write('\r\u001b[K');
    },
  };
}
