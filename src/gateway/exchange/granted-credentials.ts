// Which credentials a session may use at all: its token names them when it is issued, and rules give of those alone.

import type { Injection, Principal } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { credentialsClaim } from '../sessions/credentials-claim.ts';

/** Without the claim, as the policy says; with one that cannot be read, none. @throws ProxyError credential_not_granted */
export function requireGranted(
  { claims }: Pick<Principal, 'claims'>,
  injections: readonly Pick<Injection, 'credential'>[],
): void {
  const claim = claims[credentialsClaim];
  if (claim === undefined || injections.length === 0) return;
  const granted = Array.isArray(claim) && claim.length <= defaultLimits.tokenCredentialsMax ? claim : [claim];
  const refused = injections.find(({ credential }) => !granted.includes(credential));
  if (refused === undefined) return;
  throw new ProxyError(
    'credential_not_granted',
    `The rule puts the credential ${refused.credential} on, and the token of this session does not name it among its credentials.`,
    { credential: refused.credential },
  );
}
