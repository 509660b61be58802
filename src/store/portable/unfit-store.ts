// Why a store is not filled, or not used.

import { ProxyError } from '../../protocol/error.ts';

export function notEmpty(table: string): ProxyError {
  return new ProxyError(
    'config_invalid',
    `the store that is to be filled is not empty: ${table} has rows; name a new one`,
  );
}

/**
 * This table is there from before a store is filled until all of it is committed: an empty store would be taken for a new one, in which no token
 * was used.
 */
export const fillingTable = 'store_filling';

export function notFilled(): ProxyError {
  return new ProxyError(
    'store_unavailable',
    'The store is not filled: `store copy` or `store restore` into it goes on, was cut off or has failed. Run it again, or name another store.',
  );
}

/** Two that fill one store would each take what the other has stored for rows that were left over. */
export function beingFilled(): ProxyError {
  return new ProxyError(
    'store_unavailable',
    'The store is being filled by another `store copy` or `store restore`: wait until that one ends.',
  );
}

/** A file has no logins, so nobody takes them up there. */
export function actsLeft(): ProxyError {
  return new ProxyError(
    'config_invalid',
    'the backup has acts of operators that no gateway took into its audit yet; bring it back into PostgreSQL, where one does',
  );
}

/** Of a newer program: without it something would be lost and nobody told. */
export function unknownColumn(table: string, column: string): ProxyError {
  return new ProxyError(
    'config_invalid',
    `there is a column ${column} of ${table} that this program does not know; use the newer program that wrote it`,
  );
}
