// A lease as it is stored, from its row, the same for every engine.

import { defaultLimits } from '../protocol/limits.ts';
import type { ClaimedLease, ShownLease } from './lease-store.ts';
import { integerOf, type StoredRow, textOf } from './stored-row.ts';

/** Of what is longer nothing opens: who writes to the database must not fill the memory of those who read. */
export const sealedLeaseRead = defaultLimits.sealedLeaseCharactersMax + 1;

export const shownLeaseColumns = 'credential, state, asked_ms, ends_ms, attempts';

export function shownLeaseOf(row: StoredRow): ShownLease {
  const state = textOf(row, 'state');
  return {
    credential: textOf(row, 'credential'),
    state: state === 'asked' || state === 'held' ? state : 'released',
    askedMs: integerOf(row, 'asked_ms'),
    endsMs: row['ends_ms'] === null ? undefined : integerOf(row, 'ends_ms'),
    attempts: integerOf(row, 'attempts'),
  };
}

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
