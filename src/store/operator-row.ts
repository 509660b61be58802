// A token of an operator as it is stored, from its row.

import type { LogInRecord, OperatorToken, StoredOperatorToken } from './operator-store.ts';
import { integerOf, jsonOf, type StoredRow, textOf } from './stored-row.ts';

/** Its use is noted to this. */
export const usedStepMs = 60_000;

/** The columns have the same names in every engine. */
export function operatorTokenOf(row: StoredRow): StoredOperatorToken {
  const { sees, used_ms: used, revoked_ms: revoked } = row;
  return {
    id: textOf(row, 'id'),
    digest: textOf(row, 'digest'),
    name: textOf(row, 'name'),
    role: textOf(row, 'role'),
    // Written by `add` alone.
    ...(sees === null ? {} : { sees: jsonOf(row, 'sees') as NonNullable<OperatorToken['sees']> }),
    createdMs: integerOf(row, 'created_ms'),
    createdBy: textOf(row, 'created_by'),
    expiresMs: integerOf(row, 'expires_ms'),
    // Written by `add` alone.
    ...(row['log_in'] === null ? {} : { logIn: jsonOf(row, 'log_in') as LogInRecord }),
    ...(used === null ? {} : { usedMs: integerOf(row, 'used_ms') }),
    ...(revoked === null ? {} : { revokedMs: integerOf(row, 'revoked_ms') }),
  };
}

export function jsonOrNull(value: object | undefined): string | null {
  return value === undefined ? null : JSON.stringify(value);
}
