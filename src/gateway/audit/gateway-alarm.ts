// An alarm about the gateway itself, which belongs to no session.

import type { AuditEvent } from '../../api/audit-event.ts';
import { auditEventVersion } from '../../api/audit-event-version.ts';
import { newEventId, newTraceId } from './event-identity.ts';

export function gatewayAlarm(
  told: Pick<AuditEvent, 'action' | 'message' | 'errorCode' | 'details'>,
  nowMs: number,
): AuditEvent {
  return {
    v: auditEventVersion,
    id: newEventId(),
    time: new Date(nowMs).toISOString(),
    kind: 'alarm',
    traceId: newTraceId(),
    verdict: 'error',
    ...told,
  };
}
