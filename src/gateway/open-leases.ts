// Leases that sessions have of their own, where credentials of the configuration ask for that, and who gives them back.

import { defaultLimits } from '../protocol/limits.ts';
import type { Store } from '../store/store.ts';
import { observedSink } from './audit/alarms.ts';
import type { DurableAuditSink } from './audit/audit-log.ts';
import { SessionAudit } from './audit/session-audit.ts';
import type { CredentialSet } from './credentials/credential-set.ts';
import { isPerSession } from './credentials/kinds/per-session.ts';
import { LeaseReturns } from './credentials/leases/lease-returns.ts';
import { LeaseSeal, type LeaseSigner } from './credentials/leases/lease-seal.ts';
import { SessionLeases } from './credentials/leases/session-leases.ts';
import type { Start } from './gateway-start.ts';
import { isSharedStore } from './open-gateway-keys.ts';
import type { SessionService } from './sessions/session-service.ts';

interface LeaseRecords {
  readonly store: Store;
  readonly audit: DurableAuditSink;
}

export interface GatewayLeases {
  readonly leases: SessionLeases;
  /** Once sessions are known: what is due is given back from now on. */
  serve(credentials: CredentialSet, sessions: Pick<SessionService, 'onEnded'>): void;
}

export function openLeases(
  { config, stack, clock, incarnation, isOnDuty, onFault, onSessionEvent }: Start,
  { store, audit }: LeaseRecords,
  signingKey: LeaseSigner,
): GatewayLeases {
  const { limits, credentials: configs } = config;
  const steps = new SessionAudit(observedSink(audit, onSessionEvent));
  const seal = new LeaseSeal(signingKey);
  const record: SessionAudit['record'] = (step) => steps.record(step);
  const common = { store: store.leases, seal, holderId: incarnation, clock, record, onFault };
  const leases = new SessionLeases({ ...common, limits });
  const holderAwayMs = isSharedStore(store)
    ? Math.max(limits.storeOutageMs, defaultLimits.leaseHolderAwayMs)
    : defaultLimits.leaseHolderAwayMs;
  return {
    leases,
    serve: (credentials, sessions) => {
      const giveBack = credentials.giveBack.bind(credentials);
      const returns = stack.use(new LeaseReturns({ ...common, leases, giveBack, holderAwayMs, isOnDuty }));
      const isUsed = Object.values(configs).some(isPerSession);
      sessions.onEnded((sessionId) => {
        credentials.forget(sessionId);
        // Another process may have had one of it.
        if (isUsed) returns.soon();
      });
      returns.start();
    },
  };
}
