// What the audit says of events that it could not take.

import type { AuditEvent } from '../../api/audit-event.ts';
import { gatewayAlarm } from './gateway-alarm.ts';

/** That so many are missing where it stands. */
export function lostEvent(count: number): AuditEvent {
  const message = `${count} audit events were lost because the audit could not take them.`;
  return gatewayAlarm(
    { action: 'audit_events_lost', errorCode: 'audit_unavailable', message, details: { count } },
    Date.now(),
  );
}
