// What an agent is told of its session, with an access token for it.

import type { Principal } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { SessionResponse, SessionSigningKey } from '../../protocol/session-messages.ts';
import type { SessionRecord } from '../../store/store.ts';
import { type AccessTokenIssuer, issueAccessToken } from './session-access-token.ts';
import { type LivingSession, principalOf } from './session-authenticator.ts';
import { linkKeysOf, type SigningKey } from './signing-key.ts';

/** What the policy says of a session, for the agent. */
export interface SessionFacts {
  readonly placeholders: Readonly<Record<string, string>>;
  readonly capturePorts: readonly number[];
  readonly modes: readonly string[];
  /** Lines of known_hosts; none where it ends no SSH. */
  readonly knownHosts?: string;
  /** The key that signs commits and tags; undefined: none does. */
  readonly signing?: SessionSigningKey | undefined;
  readonly hasSshAgent?: boolean;
  /** What may have signed the gateway's own certificate, PEM; undefined where the operator gives that. */
  readonly gatewayCa?: string | undefined;
}

export interface Responding {
  readonly accessTokens: AccessTokenIssuer;
  readonly signingKey: SigningKey;
  readonly sessionFacts: (principal: Principal) => SessionFacts;
  readonly limits: Limits;
}

/** Throws ProxyError `store_unavailable` where a gateway without a store may say nothing any more. */
export function sessionResponse(
  session: LivingSession,
  nowMs: number,
  {
    accessTokens,
    signingKey,
    sessionFacts,
    limits,
    principal,
  }: Responding & { readonly principal?: Principal },
): SessionResponse {
  const { id, keyThumbprint, endsMs, awaySinceMs } = session;
  const { accessTokenLifetimeMs, storeOutageMs } = limits;
  // What a gateway without a store says never outlives the time for which it may.
  const boundMs = awaySinceMs === undefined ? endsMs : Math.min(endsMs, awaySinceMs + storeOutageMs);
  const expiresMs = Math.min(nowMs + accessTokenLifetimeMs, boundMs);
  if (awaySinceMs !== undefined && expiresMs - nowMs < 1000)
    throw new ProxyError(
      'store_unavailable',
      'The store of the gateway is away for too long; try again later.',
      {
        retryAfterSeconds: defaultLimits.storeRetryAfterSeconds,
      },
    );
  const facts = sessionFacts(principal ?? principalOf(session));
  return {
    session_id: id,
    access_token: issueAccessToken(
      accessTokens,
      { sessionId: id, keyThumbprint, session, awaySinceMs },
      { nowMs, expiresMs },
    ),
    token_type: 'DPoP',
    expires_in: Math.floor((expiresMs - nowMs) / 1000),
    placeholders: facts.placeholders,
    capture_ports: facts.capturePorts,
    modes: facts.modes,
    ...(facts.knownHosts === undefined || facts.knownHosts === '' ? {} : { known_hosts: facts.knownHosts }),
    ...(facts.signing === undefined ? {} : { signing: facts.signing }),
    ...(facts.hasSshAgent === true ? { ssh_agent: true as const } : {}),
    ...(facts.gatewayCa === undefined ? {} : { gateway_ca: facts.gatewayCa }),
    link_keys: linkKeysOf(signingKey),
  };
}

/** For the audit. By those of the token a store that is brought back from a backup knows that it was used since. */
export function enrolmentFactsOf(session: SessionRecord): Readonly<Record<string, unknown>> {
  const { claims, posture, agentVersion, tokenKey, tokenExpiresMs } = session;
  return { claims, posture, agentVersion, tokenKey, tokenExpires: new Date(tokenExpiresMs).toISOString() };
}
