// Who a request belongs to: access token, proof of the key, and a session that is alive.

import type { Principal } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { SessionRecord, Store } from '../../store/store.ts';
import { verifyProof, type ProofInput, type SessionPublicKey, type VerifiedProof } from './dpop-proof.ts';
import { verifyAccessToken, type AccessTokenIssuer } from './session-access-token.ts';
import { postureFacts } from './session-request.ts';
import { clockSkewSeconds } from './session-token.ts';

/** A request of an agent that has a session. */
export interface SessionRequest {
  /** `DPoP <access token>`. */
  readonly authorization: string | undefined;
  /** The one `DPoP` field; undefined if there is none or more than one. */
  readonly proof: string | undefined;
  readonly method: string;
  /** URL of the request, as `htu` of the proof must name it. */
  readonly url: string;
  readonly nowMs: number;
  readonly traceId?: string;
}

/** Authenticates requests of sessions by access token and proof. */
export class SessionAuthenticator {
  readonly #store: Store;
  readonly #limits: Limits;
  readonly #accessTokens: AccessTokenIssuer;

  constructor(options: {
    readonly store: Store;
    readonly limits: Limits;
    readonly accessTokens: AccessTokenIssuer;
  }) {
    this.#store = options.store;
    this.#limits = options.limits;
    this.#accessTokens = options.accessTokens;
  }

  /**
   * The living session of the request. With `renewable`, an expired access token still names its session:
   * the key is what counts. Throws `token_…`, `proof_invalid`, `session_unknown` or `session_revoked`.
   */
  async authenticate(
    request: SessionRequest,
    expiry: 'strict' | 'renewable' = 'strict',
  ): Promise<SessionRecord> {
    return (await this.authenticateHolder(request, expiry)).session;
  }

  /** As `authenticate`, with the key of the session, which only its thumbprint is kept of. */
  async authenticateHolder(
    request: SessionRequest,
    expiry: 'strict' | 'renewable' = 'strict',
  ): Promise<{ readonly session: SessionRecord; readonly key: SessionPublicKey }> {
    const { authorization, proof, method, url, nowMs } = request;
    const accessToken = /^DPoP ([A-Za-z0-9._-]+)$/i.exec(authorization ?? '')?.[1];
    if (accessToken === undefined) {
      throw new ProxyError(
        'token_malformed',
        'The request has no access token; send "Authorization: DPoP …".',
      );
    }
    const expiredForMsMax = expiry === 'renewable' ? this.#limits.sessionLifetimeMs : clockSkewSeconds * 1000;
    const facts = await verifyAccessToken(this.#accessTokens, accessToken, { nowMs, expiredForMsMax });
    const { jwk: key } = await this.verifyProof({
      proof,
      method,
      url,
      nowMs,
      accessToken,
      expectedThumbprint: facts.keyThumbprint,
    });
    const session = assertAlive(await this.#store.sessions.find(facts.sessionId), nowMs);
    if (session.keyThumbprint !== facts.keyThumbprint) {
      throw new ProxyError(
        'token_invalid',
        'The access token is not bound to the key of its session; enrol again.',
      );
    }
    return { session, key };
  }

  /** Throws ProxyError `proof_invalid` or `limit_exceeded`. */
  async verifyProof(
    input: Omit<ProofInput, 'proof'> & { readonly proof: string | undefined },
  ): Promise<VerifiedProof> {
    const { proof } = input;
    if (proof === undefined)
      throw new ProxyError('proof_invalid', 'The request has no DPoP proof, or more than one.');
    return await verifyProof({ ...input, proof }, { proofs: this.#store.proofs, limits: this.#limits });
  }
}

/** Gives a session that may be used now; throws `session_unknown` or `session_revoked` otherwise. */
export function assertAlive(session: SessionRecord | undefined, nowMs: number): SessionRecord {
  if (session === undefined)
    throw new ProxyError('session_unknown', 'There is no such session; enrol with a new token.');
  const { state, reason, endsMs, commitByMs } = session;
  if (state === 'revoked') throw new ProxyError('session_revoked', `The session was revoked: ${reason}.`);
  if (state === 'ended') throw new ProxyError('session_unknown', `The session ended: ${reason}.`);
  if (nowMs >= endsMs)
    throw new ProxyError('session_unknown', 'The session reached its longest life; enrol with a new token.');
  if (state === 'enrolled' && nowMs >= commitByMs) {
    throw new ProxyError('session_unknown', 'The session was not committed in time; enrol again.');
  }
  return session;
}

/** The principal of a session: issuer and subject, verified claims, and the posture's true facts. */
export function principalOf({ id, principalId, claims, posture }: SessionRecord): Principal {
  return { id: principalId, sessionId: id, claims, posture: postureFacts(posture) };
}
