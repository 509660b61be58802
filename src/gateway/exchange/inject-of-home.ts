// What an embedded gateway puts on of the caller's home.

import type { ValidatedRequest } from '../../http/request-validation.ts';
import type { AllowDecision } from '../../policy/decision.ts';
import type { InjectedRequest } from '../credentials/credential-set.ts';
import type { HomeCredentials } from '../credentials/request/home-credentials.ts';

export interface HomeInjected extends InjectedRequest {
  readonly isOfHome: true;
  /** Its response is looked at for tokens. Of a service of the catalogue, its entry says which requests bring some. */
  readonly looksForTokens: boolean;
}

/**
 * A rule's own credentials go first, and so does its log-in at an issuer, whose responses have to be kept. A WebSocket gets none.
 * @throws ProxyError policy_denied
 */
export function injectOfHome(
  { head, upgrade }: ValidatedRequest,
  decision: AllowDecision,
  homes: HomeCredentials | undefined,
): HomeInjected | undefined {
  const goesFirst = decision.inject.length > 0 || decision.logIn?.isIssuer === true;
  if (homes === undefined || goesFirst || upgrade !== undefined) return undefined;
  const home = homes.inject(head, decision);
  if (home === undefined) return undefined;
  const onRejected = (): void => undefined;
  const { name, searched, looksForTokens } = home;
  return {
    head: home.head,
    names: [name],
    searched,
    decode: true,
    keepsRange: false,
    stripped: [],
    onRejected,
    isOfHome: true,
    looksForTokens,
  };
}
