// What the policy says of a session, for its agent.

import type { Policy, Principal } from '../policy/decision.ts';
import { ProxyError } from '../protocol/error.ts';
import type { Limits } from '../protocol/limits.ts';
import type { SessionSigningKey } from '../protocol/session-messages.ts';
import type { CredentialSet } from './credentials/credential-set.ts';
import { mayHave } from './exchange/granted-credentials.ts';
import type { SigningKey } from './sessions/signing-key.ts';
import { knownHosts } from './ssh/host-key.ts';

/** Placeholders, ports and modes of the principal's session. */
export function factsOf(
  principal: Principal,
  policy: Policy,
  {
    credentials,
    limits,
    signingKey,
    onFault,
  }: {
    readonly credentials: CredentialSet;
    readonly limits: Limits;
    readonly signingKey: Pick<SigningKey, 'signText'>;
    readonly onFault: (error: ProxyError) => void;
  },
): {
  placeholders: Readonly<Record<string, string>>;
  capturePorts: readonly number[];
  modes: readonly string[];
  knownHosts: string;
  signing: SessionSigningKey | undefined;
  hasSshAgent: boolean;
} {
  const known = knownHosts(policy.sshHosts(principal), signingKey);
  if (known.leftOut > 0) onFault(tooManyHosts(principal, known.leftOut));
  return {
    placeholders: {
      ...credentials.emulations.variables(mayHave(principal, policy)),
      ...credentials.placeholders,
    },
    // The lowest of them: a list that nobody meant is cut, and the others are reached by the proxy variables.
    capturePorts: policy.capturePorts(principal).slice(0, limits.capturePortsMax),
    knownHosts: known.text,
    signing: signingKeyOf(principal, policy, credentials),
    hasSshAgent: policy.signing(principal)?.agent !== undefined,
    modes: ['raw', 'tls', 'proxy', 'refusals'],
  };
}

/** Of a session with several keys the first is told: which one signs, the rules say each time. */
function signingKeyOf(
  principal: Principal,
  policy: Policy,
  credentials: Pick<CredentialSet, 'publicKeyOf'>,
): SessionSigningKey | undefined {
  const signing = policy.signing(principal);
  const credential = signing?.credential;
  const key = credential === undefined ? undefined : credentials.publicKeyOf(credential);
  return signing === undefined || key === undefined ? undefined : { key, automatic: signing.automatic };
}

function tooManyHosts({ sessionId }: Principal, leftOut: number): ProxyError {
  return new ProxyError(
    'limit_exceeded',
    `known_hosts of session ${sessionId} leaves out ${leftOut} servers of SSH, whose key clients do not know (knownHostsOctetsMax)`,
    { limit: 'knownHostsOctetsMax' },
  );
}
