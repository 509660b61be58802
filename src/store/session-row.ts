// A session as it is stored, from its row.

import type {
  EndedPage,
  EnrolOutcome,
  NarrowBounds,
  NarrowedSession,
  NewChild,
  NewSession,
  NumberedEnding,
  SessionEnding,
  SessionRecord,
  SessionState,
  WithdrawOutcome,
} from './store.ts';
import { integerOf, jsonOf, type StoredRow, textOf } from './stored-row.ts';

/** The reason of a session that a later enrolment with its token replaced. */
export const supersededReason = 'a later enrolment with the same token replaced it before its commit';
/** The reason of a session by a token of which a store that went back did not know that it was used. */
export const usedBefore = 'its token had been used before';
/** The reasons of sessions whose time was over. */
export const uncommittedInTime = 'it was not committed in time';
export const lifeIsOver = 'it reached its longest life';

/** In place of a session of which only the ending is known: no token and no principal is its own. */
export function lostSession(id: string, nowMs: number): NewSession {
  return {
    id,
    tokenKey: `lost ${id}`,
    tokenExpiresMs: nowMs,
    principalId: 'unknown',
    claims: {},
    posture: {
      runtime: 'node',
      runtimeVersion: 'unknown',
      platform: 'unknown',
      nondumpable: false,
      execOnly: false,
      untraced: false,
      coreLimitZero: false,
      inspectorClosed: false,
      environmentClean: false,
      jailed: false,
      uid: 0,
      notes: ['the store lost this session; only its ending is known'],
    },
    keyThumbprint: 'unknown',
    agentVersion: 'unknown',
    enrolledMs: nowMs,
    commitByMs: nowMs,
    endsMs: nowMs,
  };
}

/** Whether only the ending of this one is known. */
export function isLost({ id, tokenKey }: Pick<NewSession, 'id' | 'tokenKey'>): boolean {
  return tokenKey === lostSession(id, 0).tokenKey;
}

/** Of a token by which no session can be begun any more, which enrolling is refused so. */
export function withdrawOutcomeOf(refusal: EnrolOutcome, consumer: string): WithdrawOutcome {
  if (refusal.kind === 'token_withdrawn') return { kind: 'withdrawn', isNew: false };
  if (refusal.kind === 'token_revoked') return { kind: 'withdrawn', isNew: false, sessionId: consumer };
  return { kind: 'token_consumed', sessionId: consumer };
}

/** How a session ended that is over. */
export function endingOfOver({ state, reason, overMs }: SessionRecord): SessionEnding | undefined {
  if (overMs === undefined) return undefined;
  return { state: state === 'revoked' ? 'revoked' : 'ended', reason: reason ?? '' };
}

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

/** One whose ending is not there has a place all the same. */
export function endedPageOf(rows: readonly StoredRow[], limit: number): EndedPage {
  const last = rows.length < limit ? undefined : rows.at(-1);
  return {
    endings: rows.filter((row) => row['sequence'] !== null).map(endingOf),
    place:
      last === undefined
        ? undefined
        : { overMs: integerOf(last, 'over_ms'), sessionId: textOf(last, 'session_id') },
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
    ...(row['above'] === null ? {} : { above: aboveOf(textOf(row, 'above')) }),
  };
}

/** A session that another one makes, as it is stored. */
export function childOf(parent: SessionRecord, child: NewChild): NewSession {
  const { id, keyThumbprint, agentVersion, nowMs, isConfined } = child;
  return {
    id,
    // No token starts it, and none is used up by it.
    tokenKey: `narrowed ${id}`,
    tokenExpiresMs: nowMs,
    principalId: parent.principalId,
    claims: parent.claims,
    posture: { ...parent.posture, confined: isConfined },
    keyThumbprint,
    agentVersion,
    enrolledMs: nowMs,
    commitByMs: nowMs,
    endsMs: Math.min(child.endsMs, parent.endsMs),
    above: [...(parent.above ?? []), parent.id],
  };
}

/** `/root/parent/`: ids have no slash. */
function aboveOf(text: string): readonly string[] {
  return text.split('/').slice(1, -1);
}

/** What is stored of who is above a session: the root, and all of them. */
export function aboveColumns({ above }: Pick<NewSession, 'above'>): {
  readonly rootId: string | null;
  readonly above: string | null;
} {
  return above === undefined
    ? { rootId: null, above: null }
    : { rootId: above[0] ?? null, above: `/${above.join('/')}/` };
}

/** Whether sessions may be made below this one. */
export function canNarrow(session: SessionRecord | undefined, nowMs: number): session is SessionRecord {
  return session?.state === 'committed' && nowMs < session.endsMs;
}

/** Of `counts` are the sessions of the same root, this one left out. */
export function boundReached(
  { above = [] }: NewSession,
  counts: StoredRow | undefined,
  { livingMax, storedMax, depthMax }: NarrowBounds,
): 'living' | 'stored' | 'depth' | undefined {
  if (above.length > depthMax) return 'depth';
  if (counts === undefined || integerOf(counts, 'living') >= livingMax) return 'living';
  return integerOf(counts, 'stored') >= storedMax ? 'stored' : undefined;
}

export function narrowedOf(row: StoredRow): NarrowedSession {
  return { sessionId: textOf(row, 'session_id'), policy: textOf(row, 'policy') };
}
