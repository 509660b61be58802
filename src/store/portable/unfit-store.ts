// Why a store is not filled.

import { ProxyError } from '../../protocol/error.ts';

export function notEmpty(table: string): ProxyError {
  return new ProxyError(
    'config_invalid',
    `the store that is to be filled is not empty: ${table} has rows; name a new one`,
  );
}

/** Of a newer program: without it something would be lost and nobody told. */
export function unknownColumn(table: string, column: string): ProxyError {
  return new ProxyError(
    'config_invalid',
    `there is a column ${column} of ${table} that this program does not know; use the newer program that wrote it`,
  );
}
