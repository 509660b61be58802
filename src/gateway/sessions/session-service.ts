// The life of sessions on the gateway: enrol, commit, renew, end, revoke, and who a request belongs to.

import { randomUUID } from 'node:crypto';
import type { Principal } from '../../policy/decision.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { SessionResponse } from '../../protocol/session-messages.ts';
import type { SessionRecord } from '../../store/store.ts';
import { type SessionPublicKey, thumbprintOf } from './dpop-proof.ts';
import { SessionAudit } from '../audit/session-audit.ts';
import { ChildSessions, recordEndedWith } from './child-sessions.ts';
import { assertAlive, SessionAuthenticator, type SessionRequest } from './session-authenticator.ts';
import { EndedSessions, endedKeptMsOf } from './ended-sessions.ts';
import type { NonceProofs } from './nonce-proofs.ts';
import { principalIdOf } from './principal-id.ts';
import { newNonceGiver } from './proof-nonces.ts';
import { parseEnrolRequest, type ValidEnrolRequest } from './session-request.ts';
import { verifySessionToken, type VerifiedToken } from './session-token.ts';
import { SessionWatch, type EndedListener } from './session-watch.ts';
import { recordEnrolment } from './enrolment-audit.ts';
import { type Responding, sessionResponse } from './session-response.ts';
import type { SessionServiceOptions } from './session-service-options.ts';

export interface EnrolInput {
  readonly token: string;
  readonly proof: string | undefined;
  /** URL of the request, as `htu` of the proof must name it. */
  readonly url: string;
  /** The parsed JSON body, of any form. */
  readonly body: unknown;
  readonly nowMs: number;
  readonly traceId?: string;
}

export interface AuthenticatedSession {
  readonly principal: Principal;
  /** When the session ends at the latest; the access token of the request may expire earlier. */
  readonly expiresMs: number;
  /** That of the session, which made the request. */
  readonly key: SessionPublicKey;
  /** Its request is worth nothing before this key has signed a challenge. */
  readonly isChallenged?: boolean;
  /** Nothing was asked of the store. */
  readonly isKnownHere?: boolean;
}

/** Opens the service and begins to watch for endings. The store and the audit belong to the caller. */
export async function openSessionService(options: SessionServiceOptions): Promise<SessionService> {
  const audit = new SessionAudit(options.audit, options.strangerRefusalsPerMinuteMax);
  const endedKeptMs = endedKeptMsOf(options.limits ?? defaultLimits);
  const ended = new EndedSessions(endedKeptMs);
  const watch = await SessionWatch.open({
    store: options.store,
    ended,
    endedKeptMs,
    ...(options.handed === undefined ? {} : { handed: options.handed }),
    clock: options.clock ?? Date.now,
    ticks: options.ticks,
    onFault: options.onFault ?? (() => {}),
    isOnDuty: options.isOnDuty,
    onExpired: ({ id, principalId, reason, overMs = 0 }) =>
      audit.record({
        action: 'ended',
        nowMs: overMs,
        sessionId: id,
        principal: principalId,
        message: `The session ended: ${reason}.`,
      }),
  });
  return new SessionService(options, audit, { watch, ended });
}

type StepTime = Pick<EnrolInput, 'nowMs' | 'traceId'>;

/** Each method throws ProxyError; the codes are those of docs/reference/session-api.md. */
export class SessionService implements AsyncDisposable {
  readonly #options: SessionServiceOptions;
  readonly #limits: Limits;
  readonly #responding: Responding;
  readonly #authenticator: SessionAuthenticator;
  readonly #audit: SessionAudit;
  readonly #watch: SessionWatch;
  readonly #children: ChildSessions;

  /** Use `openSessionService`. */
  constructor(
    options: SessionServiceOptions,
    audit: SessionAudit,
    { watch, ended }: { readonly watch: SessionWatch; readonly ended: EndedSessions },
  ) {
    this.#options = options;
    this.#limits = options.limits ?? defaultLimits;
    const { signingKey, issuer, audience, sessionFacts } = options;
    const accessTokens = { key: signingKey, issuer, audience };
    this.#responding = { accessTokens, signingKey, sessionFacts, limits: this.#limits };
    this.#authenticator = new SessionAuthenticator({
      store: options.store,
      limits: this.#limits,
      accessTokens,
      absence: options.absence,
      ended,
      isCurrent: () => watch.isCurrent,
      nonces: options.nonces ?? { giver: newNonceGiver() },
    });
    this.#audit = audit;
    this.#watch = watch;
    this.#children = new ChildSessions(options.store.sessions, this.#limits);
    watch.onEnded((sessionId) => this.#children.forget(sessionId));
  }

  /** Exchanges a session token for a session that is bound to the key of the proof. */
  async enrol(input: EnrolInput): Promise<SessionResponse> {
    this.#assertAudited();
    const token = await this.#verifyToken(input);
    const principalId = principalIdOf(token.issuer, token.subject);
    try {
      const { request, keyThumbprint } = await this.#verifyHolder(input);
      return await this.#enrol(input, { token, principalId, request, keyThumbprint });
    } catch (error) {
      const refusal = asProxyError(error);
      // A reused token has its alarm, and a fault of the store or the audit is no refusal.
      if (refusal.httpStatus < 500 && refusal.code !== 'token_reused') {
        await this.#audit.record({
          ...stepOf(input),
          action: 'refused',
          principal: principalId,
          error: refusal,
        });
      }
      throw refusal;
    }
  }

  async #verifyToken({ token, nowMs, traceId }: EnrolInput): Promise<VerifiedToken> {
    try {
      const { trust, audience } = this.#options;
      return await verifySessionToken(token, { trust, audience, nowMs });
    } catch (error) {
      const refusal = asProxyError(error);
      this.#audit.strangerRefused(refusal, nowMs, traceId);
      throw refusal;
    }
  }

  /** The proof's key is the one that the body enrols. */
  async #verifyHolder(
    input: EnrolInput,
  ): Promise<{ readonly request: ValidEnrolRequest; readonly keyThumbprint: string }> {
    const { proof, url, nowMs } = input;
    const request = parseEnrolRequest(input.body);
    const keyThumbprint = await thumbprintOf(request.key);
    await this.#authenticator.verifyProof({
      proof,
      method: 'POST',
      url,
      nowMs,
      expectedThumbprint: keyThumbprint,
    });
    return { request, keyThumbprint };
  }

  async #enrol(
    input: EnrolInput,
    verified: {
      readonly token: VerifiedToken;
      readonly principalId: string;
      readonly request: ValidEnrolRequest;
      readonly keyThumbprint: string;
    },
  ): Promise<SessionResponse> {
    const { nowMs } = input;
    const { token, principalId, request, keyThumbprint } = verified;
    const session = {
      id: randomUUID(),
      tokenKey: token.tokenKey,
      tokenExpiresMs: token.expiresMs,
      principalId,
      claims: token.claims,
      posture: request.posture,
      keyThumbprint,
      agentVersion: request.agent.version,
      enrolledMs: nowMs,
      commitByMs: nowMs + this.#limits.commitTimeoutMs,
      endsMs: nowMs + this.#limits.sessionLifetimeMs,
    };
    const { enrolmentsPerTokenMax } = this.#limits;
    const outcome = await this.#options.store.sessions.enrol(session, { enrolmentsPerTokenMax });
    switch (outcome.kind) {
      case 'enrolled': {
        // The earlier session's streams end first: whoever holds it must not go on while the audit is written.
        if (outcome.superseded.length > 0) await this.#watch.look();
        await recordEnrolment(this.#audit, stepOf(input), {
          session: { ...session, state: 'enrolled' },
          superseded: outcome.superseded,
          agentSession: request.agent.session,
        });
        return sessionResponse(
          { ...session, uncommittedUntilMs: session.commitByMs },
          nowMs,
          this.#responding,
        );
      }
      case 'token_consumed':
        throw await this.#alarm(input, principalId, outcome.sessionId);
      case 'token_revoked':
        throw new ProxyError(
          'session_revoked',
          `The session token was revoked with session ${outcome.sessionId}, which was ended before its commit; get a new one.`,
        );
      case 'token_withdrawn':
        throw tokenWithdrawn();
      case 'too_many_enrolments':
        throw new ProxyError(
          'limit_exceeded',
          `The session token was enrolled ${enrolmentsPerTokenMax} times without a commit (enrolmentsPerTokenMax); get a new one.`,
          { limit: 'enrolmentsPerTokenMax' },
        );
    }
  }

  /** A second use after the commit: somebody has a copy of the token. */
  async #alarm(input: EnrolInput, principal: string, sessionId: string): Promise<ProxyError> {
    const error = new ProxyError(
      'token_reused',
      'The session token was already used and its session is committed. ' +
        'If this was not a second start with an old token, the token was copied: revoke the session and issue a new one.',
    );
    await this.#audit.record({ ...stepOf(input), action: 'token_reused', sessionId, principal, error });
    return error;
  }

  /** A new access token for a living session; the old one may have expired, the key is what counts. */
  async renew(request: SessionRequest): Promise<SessionResponse> {
    this.#assertAudited();
    const session = await this.#authenticator.authenticate(request, 'renewable');
    await this.#audit.record({
      ...stepOf(request),
      action: 'renewed',
      sessionId: session.id,
      principal: session.principalId,
      ...(session.awaySinceMs === undefined
        ? {}
        : { details: { storeAwaySince: new Date(session.awaySinceMs).toISOString() } }),
    });
    const principal = await this.#children.principalOf(session, request.nowMs);
    return sessionResponse(session, request.nowMs, { ...this.#responding, principal });
  }

  /** Makes a session with less than this one has, bound to a key of its own; it needs no commit. */
  async narrow(request: SessionRequest, body: unknown): Promise<SessionResponse> {
    this.#assertAudited();
    const parent = await this.#authenticator.authenticate(request);
    const { session, principal, step } = await this.#children.narrow({ parent, body, nowMs: request.nowMs });
    try {
      await this.#audit.record({ ...stepOf(request), ...step, action: 'narrowed' });
    } catch (error) {
      // Nobody hears of it, so nobody could end it.
      const ending = { state: 'ended', reason: 'its beginning could not be recorded' } as const;
      await this.#end(session, ending, request).catch(() => {});
      throw error;
    }
    return sessionResponse(session, request.nowMs, { ...this.#responding, principal });
  }

  /** Consumes the session's token for good, and gives an access token that says so. Repeating it is harmless. */
  async commit(request: SessionRequest): Promise<SessionResponse> {
    this.#assertAudited();
    const { uncommittedUntilMs: _, ...session } = await this.#authenticator.authenticate(request);
    const outcome = await this.#options.store.sessions.commit(session.id, request.nowMs);
    switch (outcome.kind) {
      case 'committed':
      case 'already_committed': {
        const { id: sessionId, principalId: principal } = session;
        if (outcome.kind === 'committed')
          await this.#audit.record({ ...stepOf(request), action: 'committed', sessionId, principal });
        return sessionResponse(session, request.nowMs, this.#responding);
      }
      case 'over':
        assertAlive(outcome.session, request.nowMs);
        throw new ProxyError('internal', 'The store refused to commit a session that is alive.');
      case 'token_consumed':
        throw new ProxyError('token_reused', 'Another session committed the same token; this one ends.');
    }
  }

  /** Ends the session at the wish of its agent. */
  async end(request: SessionRequest): Promise<void> {
    const session = await this.#authenticator.authenticate(request, 'renewable');
    await this.#end(session, { state: 'ended', reason: 'its agent ended it' }, request);
  }

  /** Ends a session at the wish of an operator. False if there is none of that id that is alive. */
  async revoke(sessionId: string, reason: string): Promise<boolean> {
    const session = await this.#options.store.sessions.find(sessionId);
    if (session === undefined) return false;
    return this.#end(session, { state: 'revoked', reason }, { nowMs: this.#now() });
  }

  /** Newest first. */
  async list(
    query: { readonly living?: boolean; readonly limit?: number } = {},
  ): Promise<readonly SessionRecord[]> {
    return this.#options.store.sessions.list({ limit: 1000, ...query });
  }

  /** Whose request this is; for the tunnel. Throws `token_…`, `proof_invalid`, `session_unknown` or `session_revoked`. */
  async authenticate(request: SessionRequest): Promise<AuthenticatedSession> {
    const { session, ...holder } = await this.#authenticator.authenticateHolder(request);
    const principal = await this.#children.principalOf(session, request.nowMs);
    return { ...holder, principal, expiresMs: session.endsMs };
  }

  /** For the next proof of the session. */
  nonceFor(sessionId: string): string {
    return this.#authenticator.nonceProofs.give(sessionId, this.#now());
  }

  get nonceProofs(): NonceProofs {
    return this.#authenticator.nonceProofs;
  }

  /** Throws `session_unknown` or `session_revoked` for one that is over; with `isKnownHere` the store is asked only where it has to be. */
  async requireAlive(sessionId: string, isKnownHere?: boolean): Promise<void> {
    await this.#authenticator.requireAlive(sessionId, this.#now(), isKnownHere);
  }

  /** Tells of each session that ended or was revoked, by this process at once, by another within a second. */
  onEnded(listener: EndedListener): () => void {
    return this.#watch.onEnded(listener);
  }

  get watch(): SessionWatch {
    return this.#watch;
  }

  async close(): Promise<void> {
    await this.#watch.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #end(
    session: Pick<SessionRecord, 'id' | 'principalId'> & { readonly above?: readonly string[] | undefined },
    ending: { readonly state: 'ended' | 'revoked'; readonly reason: string },
    at: StepTime,
  ): Promise<boolean> {
    const { id, principalId } = session;
    if (!(await this.#options.store.sessions.end(id, ending, at.nowMs))) return false;
    // The streams end first: a failing audit must not keep a revoked session alive.
    await this.#watch.endedHere(id, ending);
    await this.#audit.record({
      ...stepOf(at),
      action: ending.state,
      sessionId: id,
      principal: principalId,
      message: `The session was ${ending.state}: ${ending.reason}.`,
    });
    await recordEndedWith(this.#options.store.sessions, session, (step) =>
      this.#audit.record({ ...stepOf(at), ...step }),
    );
    return true;
  }

  #assertAudited(): void {
    if (this.#audit.healthy) return;
    throw new ProxyError(
      'audit_unavailable',
      'The audit cannot be written, so no session is served; try again later.',
    );
  }

  #now(): number {
    return (this.#options.clock ?? Date.now)();
  }
}

function stepOf({ nowMs, traceId }: StepTime): StepTime {
  return traceId === undefined ? { nowMs } : { nowMs, traceId };
}

function tokenWithdrawn(): ProxyError {
  return new ProxyError(
    'session_revoked',
    'The session token was withdrawn before it started a session; get a new one.',
  );
}
