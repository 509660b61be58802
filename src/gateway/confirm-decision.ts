// Between its decision and its way out a request can wait: for a credential, or for a body that is held; a stream for its
// dial. What was decided has to hold when it goes.

import type { AccessRequest, AllowDecision, Policy, Principal } from '../policy/decision.ts';
import { ProxyError } from '../protocol/error.ts';

interface Decided {
  readonly access: AccessRequest;
  readonly decision: AllowDecision;
}

/** Asks again. @throws ProxyError policy_denied if the answer is another one now */
export function confirmDecision(
  { access, decision }: Decided,
  principal: Principal,
  { policy, clock }: { readonly policy: () => Policy; readonly clock: () => number },
): void {
  const now = policy().decide(principal, access, clock());
  if (now.effect === 'allow' && givenBy(now) === givenBy(decision)) return;
  throw new ProxyError(
    'policy_denied',
    now.effect === 'deny' ? now.reason : 'the policy changed while this waited; try again',
  );
}

/** What a request gets by the decision. */
function givenBy({ rule, handling, inject, addresses, trust }: AllowDecision): string {
  return JSON.stringify([rule.name, handling, inject, addresses, trust]);
}
