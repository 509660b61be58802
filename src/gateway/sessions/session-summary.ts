// What people are shown of a session.

import { defaultLimits } from '../../protocol/limits.ts';
import type { SessionPresence, SessionRecord } from '../../store/store.ts';
import { principalOf } from './session-authenticator.ts';

/** What is shown of a session. */
export interface SessionSummary {
  readonly id: string;
  readonly principal: string;
  /** What `policy explain --claims` takes. */
  readonly claims: Readonly<Record<string, unknown>>;
  readonly state: string;
  readonly created: string;
  readonly lastSeen: string | undefined;
  readonly tunnels: number;
  readonly posture: readonly string[];
  readonly expires: string;
  readonly policy: string | undefined;
  readonly reason: string | undefined;
}

export function summaryOf(
  session: SessionRecord,
  presences: readonly SessionPresence[],
  nowMs: number,
): SessionSummary {
  const { id, principalId, claims, state, enrolledMs, committedMs, endsMs, overMs, reason } = session;
  const [newest] = presences.toSorted((a, b) => b.seenMs - a.seenMs);
  const isOver = overMs !== undefined;
  const tunnels = presences
    .filter(({ seenMs }) => !isOver && nowMs - seenMs <= defaultLimits.presenceAgeMsMax)
    .reduce((sum, presence) => sum + presence.tunnels, 0);
  const seenMs = Math.max(newest?.seenMs ?? 0, committedMs ?? enrolledMs);
  return {
    id,
    principal: principalId,
    claims,
    state,
    created: new Date(enrolledMs).toISOString(),
    lastSeen: new Date(isOver ? Math.min(seenMs, overMs) : seenMs).toISOString(),
    tunnels,
    posture: principalOf(session).posture,
    expires: new Date(endsMs).toISOString(),
    policy: newest?.policyVersion,
    reason,
  };
}
