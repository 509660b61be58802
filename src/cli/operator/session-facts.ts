// What is known of the sessions in an audit: from the store, or from the events of their enrolment.

import type { Principal } from '../../policy/decision.ts';
import type { AuditEvent } from '../../api/audit-event.ts';
import { principalOf } from '../../gateway/sessions/session-authenticator.ts';
import { postureFacts } from '../../gateway/sessions/session-request.ts';
import type { Posture } from '../../protocol/session-messages.ts';
import type { SessionStore } from '../../store/store.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** Claims and posture of a session, by its id. */
export type SessionFacts = ReadonlyMap<string, Pick<Principal, 'claims' | 'posture'>>;

/** By the events `enrolled`, whose details hold claims and posture. */
export function sessionsOfEvents(events: Iterable<AuditEvent>): SessionFacts {
  const sessions = new Map<
    string,
    { claims: Readonly<Record<string, unknown>>; posture: readonly string[] }
  >();
  for (const { action, sessionId, details, cut } of events) {
    if (action !== 'enrolled' || sessionId === undefined || cut?.['sessionId'] !== undefined) continue;
    const { claims, posture } = details ?? {};
    // Objects, looked at below; the gateway wrote both from what it had checked.
    if (!isObject(claims) || !isObject(posture)) continue;
    sessions.set(sessionId, { claims, posture: postureFacts(posture as unknown as Posture) });
  }
  return sessions;
}

export async function sessionsOfStore(store: SessionStore): Promise<SessionFacts> {
  const sessions = await store.list({ limit: defaultLimits.recalledSessionsMax });
  return new Map(sessions.map((session) => [session.id, principalOf(session)]));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
