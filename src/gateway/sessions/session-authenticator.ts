// Who a request belongs to: access token, proof of the key, and a session that is alive.

import type { Principal } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { StoreAbsence } from '../../store/store-outage.ts';
import type { ProofStore, SessionRecord, Store } from '../../store/store.ts';
import type { EndedSessions } from './ended-sessions.ts';
import { ProofMemory } from './proof-memory.ts';
import { NonceProofs, type NonceProofsOptions } from './nonce-proofs.ts';
import { NonceNeeded } from './proof-nonces.ts';
import {
  type ByNonce,
  verifyProof,
  type ProofInput,
  type SessionPublicKey,
  type VerifiedProof,
} from './dpop-proof.ts';
import {
  type AccessTokenIssuer,
  type CarriedSession,
  type VerifiedAccessToken,
  verifyAccessToken,
} from './session-access-token.ts';
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
  /** Whoever asks is challenged before it gets anything, where its proof is for that. */
  readonly canChallenge?: boolean;
}

/** What a proof says of where it counts. */
interface ProofUses {
  /** Whose nonces count; without it none does. */
  readonly sessionId?: string;
  /** It had one, and counts for it. */
  readonly onNonce?: () => void;
  /** Without it a proof that is for a challenge is refused. */
  readonly onChallenged?: (() => void) | undefined;
}

/** Authenticates requests of sessions by access token and proof. */
export class SessionAuthenticator {
  readonly #store: Store;
  readonly #limits: Limits;
  readonly #accessTokens: AccessTokenIssuer;
  readonly #absence: StoreAbsence | undefined;
  readonly #ended: EndedSessions;
  readonly #isCurrent: () => boolean;
  readonly #seen = new ProofMemory();
  /** Those that need no store. */
  readonly nonceProofs: NonceProofs;

  constructor(options: {
    readonly store: Store;
    readonly limits: Limits;
    readonly accessTokens: AccessTokenIssuer;
    /** Of a store that can be away. */
    readonly absence: StoreAbsence | undefined;
    /** What is known of ended sessions while it is. */
    readonly ended: EndedSessions;
    /** Whether that is what the store has, within what a revocation may take. */
    readonly isCurrent: () => boolean;
    /** By whom nonces are given; without a memory this process is all of the gateway. */
    readonly nonces: Pick<NonceProofsOptions, 'giver'> & Partial<Pick<NonceProofsOptions, 'memory'>>;
  }) {
    this.#store = options.store;
    this.#limits = options.limits;
    this.#accessTokens = options.accessTokens;
    this.#absence = options.absence;
    this.#ended = options.ended;
    this.#isCurrent = options.isCurrent;
    this.nonceProofs = new NonceProofs({ memory: this.#seen, limits: options.limits, ...options.nonces });
  }

  /**
   * The living session of the request. With `renewable`, an expired access token still names its session:
   * the key is what counts. Throws `token_…`, `proof_invalid`, `session_unknown` or `session_revoked`.
   */
  async authenticate(
    request: SessionRequest,
    expiry: 'strict' | 'renewable' = 'strict',
  ): Promise<LivingSession> {
    return (await this.authenticateHolder(request, expiry)).session;
  }

  /** As `authenticate`, with the key of the session, which only its thumbprint is kept of. */
  async authenticateHolder(
    request: SessionRequest,
    expiry: 'strict' | 'renewable' = 'strict',
  ): Promise<AuthenticatedHolder> {
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
    const { sessionId } = facts;
    // The store does not have to know of such a proof.
    let isWithoutStore = false;
    let isChallenged = false;
    const expected = { accessToken, expectedThumbprint: facts.keyThumbprint };
    const { jwk: key } = await this.verifyProof(
      { proof, method, url, nowMs, ...expected },
      {
        sessionId,
        onNonce: () => (isWithoutStore = true),
        onChallenged:
          request.canChallenge === true ? () => (isWithoutStore = isChallenged = true) : undefined,
      },
    );
    if (isWithoutStore && this.#isKnownHere(facts, nowMs)) {
      this.#ended.assertNotEnded(sessionId);
      return {
        session: { ...facts.session, id: sessionId, keyThumbprint: facts.keyThumbprint },
        key,
        isChallenged,
        isKnownHere: true,
      };
    }
    const session = await this.#byStoreOr(
      async () => {
        const found = storedSession(await this.#store.sessions.find(facts.sessionId), facts, nowMs);
        this.#ended.assertNotEnded(found.id);
        return found;
      },
      (sinceMs) => this.#carriedSession(facts, sinceMs, nowMs),
    );
    return { session, key, isChallenged, isKnownHere: false };
  }

  /**
   * Whether all is known here that the store would say: a session that ended since its token was given is among those that ended lately.
   * A token that says less, or was given while the store was away, is asked for.
   */
  #isKnownHere(
    facts: VerifiedAccessToken,
    nowMs: number,
  ): facts is VerifiedAccessToken & { readonly session: CarriedSession } {
    const { session, expiresMs, awaySinceMs } = facts;
    const isWhole =
      session !== undefined && session.uncommittedUntilMs === undefined && awaySinceMs === undefined;
    return (
      isWhole &&
      nowMs < session.endsMs &&
      nowMs < expiresMs + clockSkewSeconds * 1000 &&
      this.#isReadHere(nowMs)
    );
  }

  /** Whether all that ended is known here. That the store responds to its probe does not say that what ended is read. */
  #isReadHere(nowMs: number): boolean {
    return this.#absence?.sinceMs === undefined && this.#isCurrent() && this.#ended.isComplete(nowMs);
  }

  /**
   * With a good nonce a proof counts by the gateway that gave it, and where a challenge follows, by this process alone.
   * Throws ProxyError `proof_invalid` or `limit_exceeded`, and NonceNeeded.
   */
  async verifyProof(
    input: Omit<ProofInput, 'proof'> & { readonly proof: string | undefined },
    { sessionId, onNonce, onChallenged }: ProofUses = {},
  ): Promise<VerifiedProof> {
    const { proof, nowMs } = input;
    if (proof === undefined)
      throw new ProxyError('proof_invalid', 'The request has no DPoP proof, or more than one.');
    let isHereAlone = false;
    const onChallenge = (): void => {
      onChallenged?.();
      isHereAlone = true;
    };
    const remember: ProofStore['remember'] = async (seen, bounds) => {
      // What this process took before the store went away counts afterwards too.
      const here = await this.#seen.remember(seen, bounds);
      if (here !== 'new' || isHereAlone) return here;
      // An enrolment needs the store: without an access token nothing is told by what is known here.
      const isOfSession = input.accessToken !== undefined;
      return await this.#byStoreOr(
        () => this.#store.proofs.remember(seen, bounds),
        isOfSession ? () => here : undefined,
      );
    };
    return await verifyProof(
      { ...input, proof },
      {
        proofs: { remember },
        limits: this.#limits,
        byNonce: sessionId === undefined ? undefined : this.#byNonce({ sessionId, nowMs, onNonce }),
        onChallenged: onChallenged === undefined ? undefined : onChallenge,
      },
    );
  }

  #byNonce({
    sessionId,
    nowMs,
    onNonce,
  }: Pick<ProofUses, 'onNonce'> & { readonly sessionId: string; readonly nowMs: number }): ByNonce {
    return async (nonce, { keyThumbprint, jti }) => {
      const outcome = await this.nonceProofs.take({ nonce, sessionId, keyThumbprint, jti }, nowMs);
      if (outcome === 'unknown') throw new NonceNeeded(this.nonceProofs.give(sessionId, nowMs));
      onNonce?.();
      return outcome;
    };
  }

  /**
   * Throws `session_unknown` or `session_revoked` for one that is over. One of which nothing was asked of the store is told by what is
   * known here, while that still is what the store has.
   */
  async requireAlive(sessionId: string, nowMs: number, isKnownHere = false): Promise<void> {
    if (isKnownHere && this.#isReadHere(nowMs)) {
      this.#ended.assertNotEnded(sessionId);
      return;
    }
    await this.#byStoreOr(
      async () => {
        assertAlive(await this.#store.sessions.find(sessionId), nowMs);
        this.#ended.assertNotEnded(sessionId);
      },
      () => this.#ended.assertKnownAlive(sessionId, nowMs),
    );
  }

  /** What the store says; while it is away, and for as long as that may be, what is known here. */
  async #byStoreOr<T>(
    byStore: () => Promise<T>,
    byWhatIsKnown: ((sinceMs: number) => T) | undefined,
  ): Promise<T> {
    try {
      return await byStore();
    } catch (error) {
      const { sinceMs, isPast = true } = this.#absence ?? {};
      const isAway = error instanceof ProxyError && error.code === 'store_unavailable' && !isPast;
      if (!isAway || sinceMs === undefined || byWhatIsKnown === undefined) throw error;
      return byWhatIsKnown(sinceMs);
    }
  }

  #carriedSession(facts: VerifiedAccessToken, sinceMs: number, nowMs: number): LivingSession {
    const { sessionId, keyThumbprint, session, expiresMs } = facts;
    this.#ended.assertKnownAlive(sessionId, nowMs);
    // One that had expired before may be of a session that ended longer ago than is known here.
    if (session === undefined || expiresMs + clockSkewSeconds * 1000 < sinceMs)
      throw new ProxyError(
        'store_unavailable',
        'The store of the gateway is away, and the access token does not say enough; try again later.',
        { retryAfterSeconds: defaultLimits.storeRetryAfterSeconds },
      );
    if (nowMs >= session.endsMs) throw lifeOver();
    if (nowMs >= (session.uncommittedUntilMs ?? Number.POSITIVE_INFINITY))
      throw new ProxyError(
        'store_unavailable',
        'The store of the gateway is away, and the access token is from before the commit; try again later.',
        { retryAfterSeconds: defaultLimits.storeRetryAfterSeconds },
      );
    return {
      ...session,
      id: sessionId,
      keyThumbprint,
      awaySinceMs: Math.min(sinceMs, facts.awaySinceMs ?? sinceMs),
    };
  }
}

/** The session of a request, and who holds its key. */
export interface AuthenticatedHolder {
  readonly session: LivingSession;
  readonly key: SessionPublicKey;
  /** The proof is worth nothing before this key has signed a challenge. */
  readonly isChallenged: boolean;
  /** Nothing was asked of the store. */
  readonly isKnownHere: boolean;
}

/** What is known of a session that may be used now. */
export interface LivingSession extends CarriedSession {
  readonly id: string;
  readonly keyThumbprint: string;
  /** Since when the store is away, where nothing else than its access token says so. */
  readonly awaySinceMs?: number;
}

function storedSession(
  found: SessionRecord | undefined,
  { keyThumbprint, isOfChild }: VerifiedAccessToken,
  nowMs: number,
): LivingSession {
  const session = assertAlive(found, nowMs);
  if (session.keyThumbprint === keyThumbprint && isOfChild === (session.above !== undefined))
    return session.state === 'enrolled' ? { ...session, uncommittedUntilMs: session.commitByMs } : session;
  throw new ProxyError(
    'token_invalid',
    'The access token is not bound to the key of its session; enrol again.',
  );
}

function lifeOver(): ProxyError {
  return new ProxyError('session_unknown', 'The session reached its longest life; enrol with a new token.');
}

/** Gives a session that may be used now; throws `session_unknown` or `session_revoked` otherwise. */
export function assertAlive(session: SessionRecord | undefined, nowMs: number): SessionRecord {
  if (session === undefined)
    throw new ProxyError('session_unknown', 'There is no such session; enrol with a new token.');
  const { state, reason, endsMs, commitByMs } = session;
  if (state === 'revoked') throw new ProxyError('session_revoked', `The session was revoked: ${reason}.`);
  if (state === 'ended') throw new ProxyError('session_unknown', `The session ended: ${reason}.`);
  if (nowMs >= endsMs) throw lifeOver();
  if (state === 'enrolled' && nowMs >= commitByMs) {
    throw new ProxyError('session_unknown', 'The session was not committed in time; enrol again.');
  }
  return session;
}

/** The principal of a session: issuer and subject, verified claims, and the posture's true facts. */
export function principalOf({
  id,
  principalId,
  claims,
  posture,
}: Omit<LivingSession, 'keyThumbprint'>): Principal {
  return { id: principalId, sessionId: id, claims, posture: postureFacts(posture) };
}
