// The retention of a gateway's audit, with what is told of it.

import type { ProxyError } from '../protocol/error.ts';
import type { AuditStore } from '../store/store.ts';
import type { AuditLog } from './audit/audit-log.ts';
import { AuditRetention } from './audit/audit-retention.ts';
import type { GatewayConfig } from './config/config.ts';

export interface RetentionNeeds {
  readonly config: GatewayConfig;
  readonly store: AuditStore;
  readonly audit: Pick<AuditLog, 'narrow'>;
  readonly clock: () => number;
  readonly log: (level: 'info' | 'warn', message: string) => void;
  readonly onFault: (error: ProxyError) => void;
  readonly isOnDuty: () => boolean;
}

/** What keeps the audit within its bounds, and those who flood it out of its reserve. */
export function openRetention(needs: RetentionNeeds): AuditRetention {
  const { config, store, audit, clock, log, onFault, isOnDuty } = needs;
  const { keepDays, keepEvents, keepBytes } = config.audit;
  const onReserve = (isUsedUp: boolean): void => {
    if (!audit.narrow(isUsedUp)) return;
    if (isUsedUp)
      log(
        'warn',
        `the audit holds more than ${keepBytes} bytes (audit.keepBytes): sessions that flood it are refused`,
      );
    else log('info', 'the audit is within audit.keepBytes again');
  };
  return new AuditRetention({ store, keepDays, keepEvents, keepBytes, clock, onReserve, onFault, isOnDuty });
}
