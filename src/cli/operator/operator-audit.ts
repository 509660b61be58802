// The audit as an operator's command writes it: into the same store and file as the gateway's.

import { userInfo } from 'node:os';
import { openAuditLog } from '../../gateway/audit/audit-log.ts';
import type { GatewayConfig } from '../../gateway/config/config.ts';
import { SessionAudit, type SessionStep } from '../../gateway/audit/session-audit.ts';
import type { Store } from '../../store/store.ts';
import { openStoreToWrite } from './operator-store.ts';

export interface OperatorDesk {
  readonly store: Store;
  /** Who runs the command, as the system knows them. */
  readonly operator: string;
  /** Resolves when the event is stored; throws `audit_unavailable`. */
  record(step: SessionStep): Promise<void>;
}

/** Opens store and audit of the gateway, until it is disposed. */
export async function openOperatorDesk(config: GatewayConfig): Promise<OperatorDesk & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const store = stack.use(await openStoreToWrite(config));
  // Each write of a login that acts leaves its act with it, which a gateway takes up into the audit.
  const { file } = config.audit;
  const audit =
    store.actsAs !== undefined
      ? undefined
      : new SessionAudit(
          stack.use(
            await openAuditLog({
              store: store.audit,
              limits: config.limits,
              ...(file === undefined ? {} : { file }),
            }),
          ),
        );
  const owned = stack.move();
  return {
    store,
    operator: store.actsAs ?? operatorName(),
    record: async (step) => await audit?.record(step),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function operatorName(): string {
  const uid = process.getuid?.();
  try {
    return `${userInfo().username} (uid ${uid})`;
  } catch {
    // A user without an entry, as in many containers.
    return `uid ${uid}`;
  }
}
