// What is known of the sessions in an audit: from the store, or from the events of their enrolment.

import type { Principal } from '../../policy/decision.ts';
import type { AuditEvent } from '../../api/audit-event.ts';
import { enrolmentFacts } from '../../gateway/sessions/recalled-session.ts';
import { principalOf } from '../../gateway/sessions/session-authenticator.ts';
import type { ListPlace } from '../../store/list-place.ts';
import type { SessionRecord, SessionStore } from '../../store/store.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** Claims and posture of a session, by its id. */
export type SessionFacts = ReadonlyMap<string, Pick<Principal, 'claims' | 'posture'>>;
export type KnownSessions = Map<string, Pick<Principal, 'claims' | 'posture'>>;

/** Sessions that are read from the store at a time. */
const pageSessions = 1000;

/** Takes what an event `enrolled` says; nothing of any other. */
export function noteSession(sessions: KnownSessions, event: AuditEvent): void {
  const { sessionId, cut } = event;
  if (sessionId === undefined || cut?.['sessionId'] !== undefined) return;
  const facts = enrolmentFacts(event);
  if (facts !== undefined) sessions.set(sessionId, facts);
}

export async function noteSessionsOfStore(known: KnownSessions, store: SessionStore): Promise<void> {
  let before: ListPlace | undefined;
  for (let read = 0; read < defaultLimits.recalledSessionsMax; read += pageSessions) {
    const sessions: readonly SessionRecord[] = await store.list({
      limit: pageSessions,
      ...(before === undefined ? {} : { before }),
    });
    for (const session of sessions) known.set(session.id, principalOf(session));
    const last = sessions.at(-1);
    if (last === undefined || sessions.length < pageSessions) return;
    before = { ms: last.enrolledMs, id: last.id };
  }
}
