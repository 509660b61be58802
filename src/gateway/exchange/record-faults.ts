// What a record of an exchange says of what may not be.

import type { AuditEvent } from '../../api/audit-event.ts';
import type { ProxyError } from '../../protocol/error.ts';

/** The event of what was refused because its session fills the audit. */
export function refusedForRate(event: AuditEvent, { code, limit, message }: ProxyError): AuditEvent {
  return { ...event, verdict: 'deny', errorCode: code, ...(limit === undefined ? {} : { limit }), message };
}
