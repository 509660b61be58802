// What a gateway remembers: the store, and the audit in it.

import { asProxyError } from '../protocol/error.ts';
import type { ChainSigner } from '../store/chain/chain-statements.ts';
import type { StoreOutage } from '../store/store-outage.ts';
import type { Store } from '../store/store.ts';
import { observedSink } from './audit/alarms.ts';
import { type AuditLog, openAuditLog } from './audit/audit-log.ts';
import type { SpooledAudit } from './audit/spool/spooled-audit.ts';
import type { Start } from './gateway-start.ts';
import { openChain } from './open-chain.ts';
import type { KnownHistory } from './open-changes.ts';
import type { GatewayStore } from './open-gateway-store.ts';
import { openSpool, placeOfAudit } from './open-spool.ts';

export interface Records extends KnownHistory {
  readonly store: Store;
  readonly audit: AuditLog;
  /** What waits on this machine for a store that is another process. */
  readonly spool: Partial<Pick<SpooledAudit, 'state'>>;
  /** Of a store that can be away. */
  readonly outage: StoreOutage | undefined;
  readonly from: GatewayStore['from'];
}

/** The audit on its store, whose chain the key signs, with what an earlier process left open in it. */
export async function openRecords(
  start: Start,
  { store, outage, history, recent, known, from }: GatewayStore,
  signingKey: ChainSigner,
): Promise<Records> {
  const { config, stack, metrics, onFault, onLimit, onSessionEvent, isOnDuty, place } = start;
  await openChain(start, store.audit.chain, signingKey);
  const { file } = config.audit;
  const spool = await openSpool(start, store.audit, (event) =>
    observedSink(audit, onSessionEvent).append(event),
  );
  const kept = placeOfAudit(start, store, spool);
  const audit = stack.use(
    await openAuditLog({
      store: kept,
      limits: config.limits,
      onFault,
      onLimit,
      ...(file === undefined ? {} : { file }),
      ...(config.telemetry === undefined && config.notices === undefined ? {} : { onTaken: start.tap.take }),
    }),
  );
  const recover = (): Promise<void> => audit.recover((event) => metrics.count(event));
  const takeOver = async (): Promise<void> => {
    await spool?.adopt();
    await recover();
  };
  if (isOnDuty()) await takeOver().catch((error: unknown) => requireAway(outage, error));
  spool?.start();
  spool?.keepAdopting(isOnDuty, recover);
  place?.seat.onDuty(() => void takeOver().catch((error: unknown) => onFault(asProxyError(error))));
  return { store, audit, spool: kept, outage, history, recent, known, from };
}

/** What was left is taken over when the store is back. */
function requireAway(outage: StoreOutage | undefined, error: unknown): void {
  if (outage?.sinceMs === undefined || asProxyError(error).code !== 'store_unavailable') throw error;
}
