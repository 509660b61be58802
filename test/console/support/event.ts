// An event of the audit, without what a gateway needs to make one.

import type { AuditEvent } from '../../../src/api/audit-event.ts';

export function event(id: string, changes: Partial<AuditEvent> = {}): AuditEvent {
  return {
    v: 1,
    id,
    time: '2026-01-05T09:00:00.000Z',
    kind: 'exchange',
    traceId: '0af7651916cd43dd8448eb211c80319c',
    verdict: 'allow',
    host: 'api.example.com',
    method: 'GET',
    path: '/v1/items?page=1',
    status: 200,
    sessionId: 'red',
    principal: 'issuer|red',
    rule: 'read',
    ...changes,
  };
}
