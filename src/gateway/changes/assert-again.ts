// Tells a store that went back what this process knows: sessions that began here, used tokens, and which sessions ended.

import { defaultLimits } from '../../protocol/limits.ts';
import { lifeIsOver, supersededReason, uncommittedInTime } from '../../store/session-row.ts';
import type { NumberedEnding, SessionRecord, SessionStore } from '../../store/store.ts';
import type { RecentSessions } from './recent-sessions.ts';

export interface AssertedAgain {
  /** Sessions that were not there, or not committed. */
  readonly sessions: number;
  /** Endings that were not there. */
  readonly endings: number;
  /** Sessions that had begun by a token that was used before. */
  readonly reused: readonly { readonly sessionId: string; readonly by: string }[];
}

/** By these a session ends by itself, and none of them takes its token along. */
const byItself: ReadonlySet<string> = new Set([lifeIsOver, uncommittedInTime, supersededReason]);

/** Repeating it changes nothing. Throws ProxyError `store_unavailable`. */
export async function assertAgain(
  sessions: SessionStore,
  known: { readonly recent: RecentSessions; readonly endings: readonly NumberedEnding[] },
  nowMs: number,
): Promise<AssertedAgain> {
  let [restored, ended] = [0, 0];
  const reused: { sessionId: string; by: string }[] = [];
  // The endings first: a session of which one gateway knows that it is over, and another one that it lived, is over, whoever comes first.
  const there = await sessions.endedSince(0, 2 * defaultLimits.recentSessionsMax);
  const isThere = new Set(there.map(({ sessionId }) => sessionId));
  for (const { sessionId, state, reason } of known.endings) {
    if (isThere.has(sessionId) || byItself.has(reason)) continue;
    if (await sessions.restoreEnding(sessionId, { state, reason }, nowMs)) ended += 1;
  }
  for (const session of known.recent.all(nowMs)) {
    if (leftItsToken(session)) continue;
    const { isChanged, revoked } = await sessions.restore(session, nowMs);
    if (isChanged) restored += 1;
    for (const sessionId of revoked) reused.push({ sessionId, by: session.id });
  }
  for (const { reason, ...token } of known.recent.withdrawn(nowMs)) {
    const outcome = await sessions.withdraw(token, reason, nowMs);
    // It began while the store did not know; where an earlier one is told of again, that one is over.
    const { sessionId } = outcome;
    const isEnded =
      outcome.kind === 'token_consumed'
        ? await sessions.end(outcome.sessionId, { state: 'revoked', reason }, nowMs)
        : outcome.isNew && sessionId !== undefined;
    if (isEnded) ended += 1;
  }
  return { sessions: restored, endings: ended, reused };
}

/** It is over, was never committed, and took no token along. */
function leftItsToken({ overMs, committedMs, reason }: SessionRecord): boolean {
  return overMs !== undefined && committedMs === undefined && byItself.has(reason ?? '');
}
