// What is known of the sessions in an audit: from the store, or from the events of their enrolment.

import type { AuditEvent } from '../../api/audit-event.ts';
import { enrolmentFacts, narrowedFrom, type RecalledFacts } from '../../gateway/sessions/recalled-session.ts';
import { principalOf } from '../../gateway/sessions/session-authenticator.ts';
import type { ListPlace } from '../../store/list-place.ts';
import type { SessionRecord, SessionStore } from '../../store/store.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** Claims and posture of a session, by its id. */
export type SessionFacts = ReadonlyMap<string, RecalledFacts>;
export type KnownSessions = Map<string, RecalledFacts>;

/** Sessions that are read from the store at a time. */
const pageSessions = 1000;

/** Takes what an event `enrolled` or `narrowed` says; nothing of any other. */
export function noteSession(sessions: KnownSessions, event: AuditEvent): void {
  const { sessionId, cut } = event;
  if (sessionId === undefined || cut?.['sessionId'] !== undefined) return;
  const facts = enrolmentFacts(event);
  if (facts !== undefined) sessions.set(sessionId, facts);
  const above = narrowedFrom(event);
  if (above === undefined) return;
  const { claims, posture } = sessions.get(above[0] ?? '') ?? { claims: {}, posture: [] };
  // No event has the policy by which it was narrowed.
  sessions.set(sessionId, { claims, posture, isNarrowingGone: true });
}

export async function noteSessionsOfStore(known: KnownSessions, store: SessionStore): Promise<void> {
  let before: ListPlace | undefined;
  for (let read = 0; read < defaultLimits.recalledSessionsMax; read += pageSessions) {
    const sessions: readonly SessionRecord[] = await store.list({
      limit: pageSessions,
      ...(before === undefined ? {} : { before }),
    });
    for (const session of sessions) {
      // What it was narrowed by is not read here.
      const unread = session.above === undefined ? {} : ({ isNarrowingGone: true } as const);
      known.set(session.id, { ...principalOf(session), ...unread });
    }
    const last = sessions.at(-1);
    if (last === undefined || sessions.length < pageSessions) return;
    before = { ms: last.enrolledMs, id: last.id };
  }
}
