// What is known of the sessions in an audit: from the store, or from the events of their enrolment.

import type { Principal } from '../../policy/decision.ts';
import type { AuditEvent } from '../../api/audit-event.ts';
import { principalOf } from '../../gateway/sessions/session-authenticator.ts';
import { postureFacts } from '../../gateway/sessions/session-request.ts';
import type { Posture } from '../../protocol/session-messages.ts';
import type { ListPlace } from '../../store/list-place.ts';
import type { SessionRecord, SessionStore } from '../../store/store.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** Claims and posture of a session, by its id. */
export type SessionFacts = ReadonlyMap<string, Pick<Principal, 'claims' | 'posture'>>;
export type KnownSessions = Map<string, Pick<Principal, 'claims' | 'posture'>>;

/** Sessions that are read from the store at a time. */
const pageSessions = 1000;

/** Takes what an event `enrolled` says, whose details hold claims and posture; nothing of any other. */
export function noteSession(sessions: KnownSessions, { action, sessionId, details, cut }: AuditEvent): void {
  if (action !== 'enrolled' || sessionId === undefined || cut?.['sessionId'] !== undefined) return;
  const { claims, posture } = details ?? {};
  // Objects, looked at below; the gateway wrote both from what it had checked.
  if (!isObject(claims) || !isObject(posture)) return;
  sessions.set(sessionId, { claims, posture: postureFacts(posture as unknown as Posture) });
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

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
