// The spool of a gateway's audit, where its store is another process, with what is told of it.

import { join } from 'node:path';
import type { AuditEvent } from '../api/audit-event.ts';
import { ProxyError } from '../protocol/error.ts';
import type { AuditStore, Store } from '../store/store.ts';
import type { AuditPlace } from './audit/audit-log.ts';
import { gatewayAlarm } from './audit/gateway-alarm.ts';
import { MovingAudit } from './audit/spool/moving-audit.ts';
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

/** Where the audit goes: to the spool, if there is one, else to the store, or beside it once that has moved. */
export function placeOfAudit(
  { config, stack, onFault, log }: Start,
  store: Store,
  spool: SpooledAudit | undefined,
): AuditPlace & Partial<Pick<SpooledAudit, 'state'>> {
  const { movedTo } = store;
  if (spool !== undefined || movedTo === undefined) return spool ?? store.audit;
  let late: SpooledAudit | undefined;
  stack.defer(() => late?.close());
  return new MovingAudit({
    store: store.audit,
    hasMoved: () => movedTo() !== undefined,
    openSpool: async () => {
      log('warn', `the store was moved to ${movedTo()}: the audit is kept here for a gateway on that one`);
      late = await SpooledAudit.open({
        directory: join(config.stateDirectory, 'spool'),
        store: store.audit,
        // Whoever is on the new store delivers it, once this process is gone.
        delivery: { deliver: () => Promise.reject(gone()), finish: () => Promise.reject(gone()) },
        limits: config.limits,
        onFault,
        onGap: () => undefined,
      });
      late.start();
      return late;
    },
  });
}

function gone(): ProxyError {
  return new ProxyError('store_unavailable', 'The store was moved.');
}

/** What was there and is not any more is part of the record. */
function gapEvent(spool: string, gap: SpoolGap): AuditEvent {
  const message = gapMessage(spool, gap);
  return gatewayAlarm(
    {
      action: 'audit_records_missing',
      errorCode: 'audit_unavailable',
      message,
      details: { spool, ...gap },
    },
    Date.now(),
  );
}
