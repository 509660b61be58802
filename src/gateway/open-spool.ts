// The spool of a gateway's audit, where its store is another process, with what is told of it.

import { join } from 'node:path';
import type { AuditEvent } from '../api/audit-event.ts';
import { auditEventVersion } from '../api/audit-event-version.ts';
import type { AuditStore } from '../store/store.ts';
import { newEventId, newTraceId } from './audit/event-identity.ts';
import { SpooledAudit } from './audit/spool/spooled-audit.ts';
import { gapMessage } from './audit/spool/spool-delivery.ts';
import type { SpoolGap } from './audit/spool/spool-reader.ts';
import type { Start } from './gateway-start.ts';

/** Undefined where the store itself is as durable. Throws ProxyError `audit_unavailable`. */
export async function openSpool(
  { config, stack, onFault }: Start,
  store: AuditStore,
  onAlarm: (event: AuditEvent) => void,
): Promise<SpooledAudit | undefined> {
  const { delivery } = store;
  if (delivery === undefined) return undefined;
  return stack.use(
    await SpooledAudit.open({
      directory: join(config.stateDirectory, 'spool'),
      store,
      delivery,
      limits: config.limits,
      onFault,
      onGap: (spool, gap) => onAlarm(gapEvent(spool, gap)),
    }),
  );
}

/** What was there and is not any more is part of the record. */
function gapEvent(spool: string, gap: SpoolGap): AuditEvent {
  return {
    v: auditEventVersion,
    id: newEventId(),
    time: new Date().toISOString(),
    kind: 'alarm',
    action: 'audit_records_missing',
    traceId: newTraceId(),
    verdict: 'error',
    errorCode: 'audit_unavailable',
    message: gapMessage(spool, gap),
    details: { spool, ...gap },
  };
}
