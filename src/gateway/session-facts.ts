// What the policy says of a session, for its agent.

import type { Policy, Principal } from '../policy/decision.ts';
import type { Limits } from '../protocol/limits.ts';
import type { CredentialSet } from './credentials/credential-set.ts';

/** Placeholders, ports and modes of the principal's session. */
export function factsOf(
  principal: Principal,
  policy: Policy,
  { credentials, limits }: { readonly credentials: CredentialSet; readonly limits: Limits },
): {
  placeholders: Readonly<Record<string, string>>;
  capturePorts: readonly number[];
  modes: readonly string[];
} {
  return {
    placeholders: credentials.placeholders,
    // The lowest of them: a list that nobody meant is cut, and the others are reached by the proxy variables.
    capturePorts: policy.capturePorts(principal).slice(0, limits.capturePortsMax),
    modes: ['raw', 'tls', 'proxy', 'refusals'],
  };
}
