// Audit events for the tests of the policy commands.

import type { AuditEvent } from '../../src/api/audit-event.ts';

let count = 0;

/** An exchange that was let through, unless the fields say otherwise. */
export function exchange(fields: Partial<AuditEvent> = {}): AuditEvent {
  count += 1;
  return {
    v: 1,
    id: String(count),
    time: '2026-01-01T10:20:30.456Z',
    kind: 'exchange',
    traceId: `t${count}`,
    sessionId: 's',
    principal: 'p',
    verdict: 'allow',
    rule: 'observe',
    observed: 'default-deny',
    scheme: 'https',
    host: 'a.example.com',
    port: 443,
    method: 'GET',
    path: '/',
    ...fields,
  };
}

/** A request that the policy refused. */
export function refused(fields: Partial<AuditEvent> = {}): AuditEvent {
  const { observed: _, ...event } = exchange({
    verdict: 'deny',
    rule: 'default-deny',
    errorCode: 'policy_denied',
    status: 403,
    ...fields,
  });
  return event;
}
