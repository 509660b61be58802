// Who a session is to a policy: of the store, or of what the audit says of its enrolment, which is kept longer.

import type { AuditEvent } from '../../api/audit-event.ts';
import type { Principal } from '../../policy/decision.ts';
import type { Posture } from '../../protocol/session-messages.ts';
import type { Store } from '../../store/store.ts';
import { principalOf } from './session-authenticator.ts';
import { postureFacts } from './session-request.ts';

/** Among so many events of a session is that of its enrolment, if it is kept: nothing is done for it before. */
const firstEvents = 10;

/** Undefined: nothing is kept of it. */
export async function recallSession(
  store: Pick<Store, 'sessions' | 'audit'>,
  id: string,
): Promise<Principal | undefined> {
  const session = await store.sessions.find(id);
  if (session !== undefined) return principalOf(session);
  // Not by kind, which is no index: it would be looked for in all that the session did.
  const events = await store.audit.query({ sessionId: id, limit: firstEvents });
  // Of events that were cut, nothing is taken for a claim.
  const enrolled = events.find(({ action, cut }) => action === 'enrolled' && cut === undefined);
  const facts = enrolled === undefined ? undefined : enrolmentFacts(enrolled);
  return facts === undefined ? undefined : { id: enrolled?.principal ?? '', sessionId: id, ...facts };
}

/** What an event `enrolled` says, whose details hold claims and posture; undefined of any other. */
export function enrolmentFacts({
  action,
  details,
}: AuditEvent): Pick<Principal, 'claims' | 'posture'> | undefined {
  if (action !== 'enrolled') return undefined;
  const { claims, posture = {} } = details ?? {};
  // Objects, looked at below; the gateway wrote both from what it had checked.
  if (!isObject(claims) || !isObject(posture)) return undefined;
  return { claims, posture: postureFacts(posture as unknown as Posture) };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
