// A kept token as it is stored, from its row, the same for every engine.

import { defaultLimits } from '../protocol/limits.ts';
import type { KeptToken } from './kept-token-store.ts';
import { integerOf, type StoredRow, textOf } from './stored-row.ts';

/** Of what is longer nothing opens: who writes to the database must not fill the memory of those who read. */
export const keptTokenRead = defaultLimits.keptTokenCharactersMax + 1;

export function keptTokenOf(row: StoredRow): KeptToken {
  return {
    id: textOf(row, 'id'),
    sessionId: optionalText(row, 'session_id'),
    version: integerOf(row, 'version'),
    sealed: textOf(row, 'sealed'),
    state: textOf(row, 'state') === 'refused' ? 'refused' : 'held',
    word: optionalText(row, 'word'),
    lifetimeMs: row['lifetime_ms'] === null ? undefined : integerOf(row, 'lifetime_ms'),
    ageMs: integerOf(row, 'age_ms'),
    claimedBy: optionalText(row, 'claimed_by'),
    attempts: integerOf(row, 'attempts'),
  };
}

function optionalText(row: StoredRow, column: string): string | undefined {
  return row[column] === null ? undefined : textOf(row, column);
}
