// What the audit says of events that it could not take.

import type { AuditEvent } from '../../api/audit-event.ts';
import { auditEventVersion } from '../../api/audit-event-version.ts';
import { newEventId, newTraceId } from './event-identity.ts';

/** That so many are missing where it stands. */
export function lostEvent(count: number): AuditEvent {
  return {
    v: auditEventVersion,
    id: newEventId(),
    time: new Date().toISOString(),
    kind: 'alarm',
    action: 'audit_events_lost',
    traceId: newTraceId(),
    verdict: 'error',
    errorCode: 'audit_unavailable',
    message: `${count} audit events were lost because the audit could not take them.`,
    details: { count },
  };
}
