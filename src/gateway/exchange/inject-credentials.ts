// Puts the credentials of a rule on a request that it admitted.

import type { RequestHead } from '../../http/message-head.ts';
import type { AllowDecision, Principal } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { InjectedRequest } from '../credentials/credential-set.ts';
import type { BodyFacts } from '../credentials/request/body-rewrite.ts';
import { withoutReason } from '../credentials/source-fault.ts';
import { requireGranted } from './granted-credentials.ts';
import { leaseSessionOf } from './spending-accounts.ts';
import { askSearchable } from '../scrub/searchable-response.ts';
import type { ExchangeParts } from './exchange-parts.ts';

interface Injecting {
  readonly head: RequestHead;
  readonly body: BodyFacts | undefined;
  readonly principal: Principal;
}

/** Invariant: a credential goes only on a request that its own rule admitted, and never in the clear. */
export async function injectCredentials(
  { head, body, principal }: Injecting,
  decision: AllowDecision,
  parts: Pick<ExchangeParts, 'credentials' | 'clock'>,
): Promise<InjectedRequest> {
  if (decision.inject.length === 0)
    return {
      head,
      names: [],
      searched: undefined,
      decode: false,
      keepsRange: true,
      stripped: [],
      onRejected: () => undefined,
    };
  requireGranted(principal, decision.inject);
  if (head.destination.scheme !== 'https') {
    throw new ProxyError(
      'credential_unavailable',
      'a credential is never sent over cleartext HTTP; use https',
    );
  }
  const injected = await parts.credentials
    .inject(head, decision.inject, { nowMs: parts.clock(), body, session: leaseSessionOf(principal) })
    .catch((error: unknown) => {
      throw withoutReason(error);
    });
  if (injected.searched === undefined) return injected;
  const headers = askSearchable(injected.head.headers, injected);
  return { ...injected, head: { ...injected.head, headers } };
}
