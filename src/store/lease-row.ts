// A lease as it is stored, from its row, the same for every engine.

import { defaultLimits } from '../protocol/limits.ts';
import type { ClaimedLease } from './lease-store.ts';
import { integerOf, type StoredRow, textOf } from './stored-row.ts';

/** Of what is longer nothing opens: who writes to the database must not fill the memory of those who read. */
export const sealedLeaseRead = defaultLimits.sealedLeaseCharactersMax + 1;

export function claimedLeaseOf(row: StoredRow): ClaimedLease {
  return {
    id: textOf(row, 'id'),
    sessionId: textOf(row, 'session_id'),
    principalId: textOf(row, 'principal_id'),
    credential: textOf(row, 'credential'),
    holderId: textOf(row, 'holder_id'),
    sealed: row['sealed'] === null ? undefined : textOf(row, 'sealed'),
    attempts: integerOf(row, 'attempts'),
    isEnded: integerOf(row, 'is_ended') === 1,
  };
}
