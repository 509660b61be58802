// Reading the columns of a row, the same for every engine: a value of another type means a damaged store, and is said.

import { ProxyError } from '../protocol/error.ts';

/** A row as an engine gives it. */
export type StoredRow = Readonly<Record<string, unknown>>;

export function textOf(row: StoredRow, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw damagedColumn(column);
  return value;
}

export function integerOf(row: StoredRow, column: string): number {
  const value = row[column];
  if (typeof value !== 'number') throw damagedColumn(column);
  return value;
}

/** A JSON object that this folder wrote earlier from a value of type T. */
export function jsonOf<T extends object>(row: StoredRow, column: string): T {
  const text = textOf(row, column);
  try {
    const value: unknown = JSON.parse(text);
    // The column is only ever written by JSON.stringify of a T.
    if (typeof value === 'object' && value !== null) return value as T;
  } catch (error) {
    throw damagedColumn(column, error);
  }
  throw damagedColumn(column);
}

/** What stands in that column is not what this program writes there. */
export function damagedColumn(column: string, cause?: unknown): ProxyError {
  return new ProxyError(
    'store_unavailable',
    `The store is damaged: column "${column}" holds something else.`,
    { cause },
  );
}
