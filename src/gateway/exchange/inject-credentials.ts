// Puts the credentials of a rule on a request that it admitted.

import type { RequestHead } from '../../http/message-head.ts';
import type { ValidatedRequest } from '../../http/request-validation.ts';
import type { AllowDecision, Principal } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { InjectedRequest } from '../credentials/credential-set.ts';
import type { BodyFacts } from '../credentials/request/body-rewrite.ts';
import { withoutReason } from '../credentials/source-fault.ts';
import { requireGranted } from './granted-credentials.ts';
import { leaseSessionOf } from './spending-accounts.ts';
import { askSearchable } from '../scrub/searchable-response.ts';
import type { bodyFacts } from './body-facts.ts';
import type { ClientExchange } from './client-exchange.ts';
import type { Admitted, ExchangeParts } from './exchange-parts.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import { injectOfHome } from './inject-of-home.ts';
import { injectOfInside } from './inject-of-inside.ts';

interface Injecting {
  readonly head: RequestHead;
  readonly body: BodyFacts | undefined;
  readonly principal: Principal;
}

/** The request of a rule that gives none. */
function withoutCredentials(head: RequestHead): InjectedRequest {
  return {
    head,
    names: none,
    searched: undefined,
    decode: false,
    keepsRange: true,
    stripped: none,
    onRejected: ignore,
  };
}

const none: readonly string[] = [];
const ignore = (): void => undefined;

/** Invariant: a credential goes only on a request that its own rule admitted, and never in the clear. */
export async function injectCredentials(
  { head, body, principal }: Injecting,
  decision: AllowDecision,
  parts: Pick<ExchangeParts, 'credentials' | 'clock'>,
): Promise<InjectedRequest> {
  if (decision.inject.length === 0) return withoutCredentials(head);
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

interface Admitting {
  readonly client: ClientExchange;
  readonly validated: ValidatedRequest;
  readonly facts: ReturnType<typeof bodyFacts>;
  readonly principal: Principal;
}

/** The request with what it gets of the caller's home, of a log-in from inside, or of the rule. */
export function injectionOf(
  { client: { signal }, validated, facts: body, principal }: Admitting,
  decision: AllowDecision,
  parts: ExchangeParts,
  record: ExchangeRecord,
): Admitted['injected'] | Promise<Admitted['injected']> {
  const ofHome = injectOfHome(validated, decision, parts.homes);
  if (ofHome !== undefined) return ofHome;
  const { head } = validated;
  if (decision.logIn === undefined && decision.inject.length === 0) return withoutCredentials(head);
  const ofRule = (): Promise<InjectedRequest> =>
    injectCredentials({ head, body, principal }, decision, parts);
  if (decision.logIn === undefined) return ofRule();
  return injectOfInside({ validated, body, principal, signal }, decision, parts, record).then(
    (ofInside) => ofInside ?? ofRule(),
  );
}
