// The audit as an operator's command writes it: into the same store and file as the gateway's.

import { userInfo } from 'node:os';
import { openAuditLog } from '../../gateway/audit/audit-log.ts';
import type { GatewayConfig } from '../../gateway/config/config.ts';
import { SessionAudit, type SessionStep } from '../../gateway/audit/session-audit.ts';
import type { SigningKey } from '../../gateway/sessions/signing-key.ts';
import type { Store } from '../../store/store.ts';
import { placesOfConfig } from '../gateway/identity-access.ts';
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
  const audit = store.actsAs === undefined ? await openAudit(store, config, stack) : undefined;
  const owned = stack.move();
  return {
    store,
    operator: store.actsAs ?? operatorName(),
    record: async (step) => await audit?.record(step),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function openAudit(
  store: Store,
  config: GatewayConfig,
  stack: AsyncDisposableStack,
): Promise<SessionAudit> {
  const { chain } = store.audit;
  const signer = await signerOf(config);
  if (signer !== undefined) {
    await chain.begin(signer);
    // Behind the log, which stores what waits as it ends. What was not signed is as behind a gateway that was killed.
    stack.defer(() => chain.end().catch(() => undefined));
  }
  const { file } = config.audit;
  const { limits } = config;
  const log = await openAuditLog({ store: store.audit, limits, ...(file === undefined ? {} : { file }) });
  return new SessionAudit(stack.use(log));
}

/** Undefined: no gateway has begun a chain here yet, or its keys are not this user's to read. Then what a command stores is in none. */
async function signerOf(config: GatewayConfig): Promise<SigningKey | undefined> {
  try {
    return await (await placesOfConfig(config)).signingKey.read();
  } catch {
    // What is done is done all the same, and a verification finds an event that is in no chain.
    return undefined;
  }
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
