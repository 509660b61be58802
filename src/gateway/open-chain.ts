// The chain of a gateway's audit: by whose key it begins, a head each minute, and one when the gateway ends.

import { defaultLimits } from '../protocol/limits.ts';
import type { AuditChain } from '../store/chain/audit-chain.ts';
import type { ChainSigner } from '../store/chain/chain-statements.ts';
import { RepeatedLook } from '../system/repeated-look.ts';
import type { Start } from './gateway-start.ts';

/** Opened before what writes the audit, so that it ends behind it. */
export async function openChain(
  { stack, onFault }: Pick<Start, 'stack' | 'onFault'>,
  chain: AuditChain,
  signer: ChainSigner,
): Promise<void> {
  await chain.begin(signer);
  // A store that is away is told by those who watch it; what was not signed is with the next start, as behind a kill.
  stack.defer(() => chain.end().catch(() => undefined));
  const heads = stack.use(
    new RepeatedLook({
      look: () => chain.signHead(),
      intervalMs: defaultLimits.auditHeadIntervalMs,
      onFault,
    }),
  );
  heads.start();
}
