// Which credentials a session may use at all: its token names them when it is issued, and rules give of those alone.

import type { Injection, Policy, Principal } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { credentialsClaim } from '../sessions/credentials-claim.ts';

/** Of which credentials a session may have something: those that a rule puts on its requests, and that its token names. */
export function mayHave(
  principal: Principal,
  policy: Pick<Policy, 'injected'>,
): (credential: string) => boolean {
  const injected = policy.injected(principal);
  const isGranted = isGrantedTo(principal);
  return (credential) => injected.has(credential) && isGranted(credential);
}

/** Of those that rules put on: which ones the token lets the session have. */
export function isGrantedTo(principal: Pick<Principal, 'claims'>): (credential: string) => boolean {
  const granted = grantedOf(principal);
  return (credential) => granted === undefined || granted.includes(credential);
}

/** Without the claim, as the policy says; with one that cannot be read, none. @throws ProxyError credential_not_granted */
export function requireGranted(
  principal: Pick<Principal, 'claims'>,
  injections: readonly Pick<Injection, 'credential'>[],
): void {
  const granted = grantedOf(principal);
  if (granted === undefined || injections.length === 0) return;
  const refused = injections.find(({ credential }) => !granted.includes(credential));
  if (refused === undefined) return;
  throw new ProxyError(
    'credential_not_granted',
    `The rule puts the credential ${refused.credential} on, and the token of this session does not name it among its credentials.`,
    { credential: refused.credential },
  );
}

/** Undefined: the token says nothing of it. */
function grantedOf({ claims }: Pick<Principal, 'claims'>): readonly unknown[] | undefined {
  const claim = claims[credentialsClaim];
  if (claim === undefined) return undefined;
  return Array.isArray(claim) && claim.length <= defaultLimits.tokenCredentialsMax ? claim : [claim];
}
