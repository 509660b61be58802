// A session as it is stored, from its row.

import type { NumberedEnding, SessionRecord, SessionState } from './store.ts';
import { integerOf, jsonOf, type StoredRow, textOf } from './stored-row.ts';

/** The reason of a session that a later enrolment with its token replaced. */
export const supersededReason = 'a later enrolment with the same token replaced it before its commit';
/** The reason of a session by a token of which a store that went back did not know that it was used. */
export const usedBefore = 'its token had been used before';
/** The reasons of sessions whose time was over. */
export const uncommittedInTime = 'it was not committed in time';
export const lifeIsOver = 'it reached its longest life';

const states: readonly SessionState[] = ['enrolled', 'committed', 'ended', 'revoked'];

/** The columns have the same names in every engine. */
export function endingOf(row: StoredRow): NumberedEnding {
  return {
    sequence: integerOf(row, 'sequence'),
    sessionId: textOf(row, 'session_id'),
    state: textOf(row, 'state') === 'revoked' ? 'revoked' : 'ended',
    reason: textOf(row, 'reason'),
  };
}

export function sessionOf(row: StoredRow): SessionRecord {
  return {
    id: textOf(row, 'id'),
    tokenKey: textOf(row, 'token_key'),
    tokenExpiresMs: integerOf(row, 'token_expires_ms'),
    principalId: textOf(row, 'principal_id'),
    claims: jsonOf(row, 'claims'),
    posture: jsonOf(row, 'posture'),
    keyThumbprint: textOf(row, 'key_thumbprint'),
    agentVersion: textOf(row, 'agent_version'),
    // The table's CHECK lets in no other state; an unknown one is treated as over.
    state: states.find((state) => state === row['state']) ?? 'ended',
    enrolledMs: integerOf(row, 'enrolled_ms'),
    commitByMs: integerOf(row, 'commit_by_ms'),
    endsMs: integerOf(row, 'ends_ms'),
    ...(row['committed_ms'] === null ? {} : { committedMs: integerOf(row, 'committed_ms') }),
    ...(row['over_ms'] === null ? {} : { overMs: integerOf(row, 'over_ms') }),
    ...(row['reason'] === null ? {} : { reason: textOf(row, 'reason') }),
  };
}
