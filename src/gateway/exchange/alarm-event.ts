// An alarm about what was found at a request: who sent it, and where it went.

import type { AuditEvent } from '../../api/audit-event.ts';
import { auditEventVersion } from '../../api/audit-event-version.ts';
import type { Principal, RequestAccess } from '../../policy/decision.ts';
import { newEventId, newTraceId } from '../audit/event-identity.ts';

export interface AlarmPlace {
  readonly principal: Principal;
  readonly access: RequestAccess;
}

/** What was found is kept from the session. */
export function alarmEvent(
  told: Pick<AuditEvent, 'action' | 'message' | 'package' | 'details'>,
  { principal, access }: AlarmPlace,
  nowMs: number,
): AuditEvent {
  const { scheme, host, port } = access.destination;
  return {
    v: auditEventVersion,
    id: newEventId(),
    time: new Date(nowMs).toISOString(),
    kind: 'alarm',
    traceId: newTraceId(),
    verdict: 'deny',
    sessionId: principal.sessionId,
    principal: principal.id,
    scheme,
    host,
    port,
    path: access.path,
    ...told,
  };
}
