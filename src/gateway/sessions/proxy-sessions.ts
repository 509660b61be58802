// Sessions of proxy tokens: the first use of a token begins its session, every further one belongs to it, at whichever gateway.

import { createHash, randomUUID } from 'node:crypto';
import type { Principal } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { Posture } from '../../protocol/session-messages.ts';
import { type NewSession, type SessionRecord, type Store, withdrawnToken } from '../../store/store.ts';
import type { SessionAudit } from '../audit/session-audit.ts';
import { recordEnrolment } from './enrolment-audit.ts';
import { principalIdOf } from './principal-id.ts';
import { type ProxyToken, verifyProxyToken } from './proxy-token.ts';
import { assertAlive, principalOf } from './session-authenticator.ts';
import type { SessionService } from './session-service.ts';
import type { SigningKey } from './signing-key.ts';

export interface ProxySessionsOptions {
  readonly store: Store;
  readonly audit: SessionAudit;
  readonly sessions: Pick<SessionService, 'requireAlive' | 'revoke' | 'watch'>;
  readonly signingKey: SigningKey;
  readonly issuer: string;
  /** Of session tokens; that of proxy tokens follows from it. */
  readonly audience: string;
  readonly limits: Limits;
  readonly clock: () => number;
}

/** Where a token came from, for the audit. */
export interface TokenSource {
  readonly address: string;
  readonly userAgent: string | undefined;
}

interface Known {
  readonly token: ProxyToken;
  session?: Promise<Principal>;
  /** Once it is there. */
  sessionId?: string;
}

/** Nothing hardens anything: the token stands where the workload reads it. */
const posture: Posture = {
  runtime: 'node',
  runtimeVersion: 'none',
  platform: 'unknown',
  nondumpable: false,
  execOnly: false,
  untraced: false,
  coreLimitZero: false,
  inspectorClosed: false,
  environmentClean: false,
  jailed: false,
  tokenInContainer: true,
  uid: 0,
  notes: ['a proxy token: no agent is in the container'],
};

const exposedReason = 'its proxy token was sent in the clear';

export class ProxySessions {
  readonly #options: ProxySessionsOptions;
  /** By digest of the token, the least used first. */
  readonly #known = new Map<string, Known>();
  /** Seen in the clear: good for nothing here, whether or not the store could be told. */
  readonly #exposed = new Set<string>();
  /** By session; of the tokens in `#known` alone. */
  readonly #digests = new Map<string, string>();

  constructor(options: ProxySessionsOptions) {
    this.#options = options;
  }

  /**
   * Whose the token is, if it is good now and from there. Throws ProxyError `token_…`, `session_unknown` or `session_revoked` where it is
   * not, and `store_unavailable` or `audit_unavailable` where that cannot be said.
   */
  async admit(text: string, address: string, traceId: string): Promise<Principal> {
    const nowMs = this.#options.clock();
    const digest = tokenDigest(text);
    if (this.#exposed.has(digest))
      throw new ProxyError('session_revoked', 'The proxy token was sent in the clear before.');
    const known = this.#known.get(digest) ?? { token: await this.#verify(text, nowMs) };
    this.#keep(digest, known);
    const { token } = known;
    if (nowMs >= token.expiresMs) throw new ProxyError('token_expired', 'The proxy token is expired.');
    if (!token.isFrom(address))
      throw new ProxyError('token_invalid', `The proxy token is not for the network of ${address}.`);
    known.session ??= this.#begin(token, traceId);
    try {
      const principal = await known.session;
      // It may have been left out meanwhile.
      if (this.#known.get(digest) === known) {
        known.sessionId = principal.sessionId;
        this.#digests.set(principal.sessionId, digest);
      }
      // It may have ended before anybody could know that it is of this token.
      if (this.#options.sessions.watch.ended.has(principal.sessionId)) this.forget(principal.sessionId);
      return principal;
    } catch (error) {
      // Of what the store could not say now, it may say something else the next time.
      this.#drop(digest);
      throw error;
    }
  }

  /** Ends what a token can do that others may have read. True if it was one of ours, and good until now. */
  async expose(text: string, { address, userAgent }: TokenSource, traceId: string): Promise<boolean> {
    const { store, audit, sessions, clock } = this.#options;
    const nowMs = clock();
    const token = await this.#verify(text, nowMs).catch(() => undefined);
    if (token === undefined) return false;
    const digest = tokenDigest(text);
    const isHeard = this.#exposed.has(digest);
    const begun = this.#known.get(digest)?.session;
    this.#closeHere(digest);
    const { tokenKey, expiresMs: tokenExpiresMs, issuer, subject, claims } = token;
    const outcome = await store.sessions
      .withdraw({ tokenKey, tokenExpiresMs }, exposedReason, nowMs)
      .catch(async (error: unknown) => {
        if (!isHeard) await this.#exposedHereAlone(token, { begun, traceId });
        throw error;
      });
    const { sessionId } = outcome;
    const isNew =
      outcome.kind === 'withdrawn' ? outcome.isNew : await sessions.revoke(outcome.sessionId, exposedReason);
    await sessions.watch.look();
    const principal = principalIdOf(issuer, subject);
    const of = sessionId === undefined ? { principal } : { principal, sessionId };
    const tokenExpires = new Date(tokenExpiresMs).toISOString();
    if (outcome.kind === 'withdrawn' && isNew)
      await audit.record({
        action: 'session_token_withdrawn',
        nowMs,
        traceId,
        ...of,
        message: `A proxy token was withdrawn: ${exposedReason}.`,
        details: { id: claims['jti'], tokenKey, tokenExpires },
      });
    const message = `The proxy token of ${subject} came in the clear, from ${userAgent ?? 'a client'} at ${address}; it is good for nothing any more.`;
    const details = { id: claims['jti'], address, ...(userAgent === undefined ? {} : { userAgent }) };
    if (isNew) await audit.record({ action: 'proxy_token_exposed', nowMs, traceId, ...of, message, details });
    // A client that goes on with it fills no audit.
    else audit.strangerRefused(new ProxyError('session_revoked', message), nowMs, traceId);
    return true;
  }

  /** The store could not be told: what runs here ends all the same, and an operator has to see to the rest. */
  async #exposedHereAlone(
    { issuer, subject, claims }: ProxyToken,
    { begun, traceId }: { readonly begun: Promise<Principal> | undefined; readonly traceId: string },
  ): Promise<void> {
    const { audit, sessions, clock } = this.#options;
    const session = await begun?.catch(() => undefined);
    if (session !== undefined)
      await sessions.watch.endedHere(session.sessionId, { state: 'revoked', reason: exposedReason });
    await audit.record({
      action: 'proxy_token_exposed',
      nowMs: clock(),
      traceId,
      principal: principalIdOf(issuer, subject),
      ...(session === undefined ? {} : { sessionId: session.sessionId }),
      message: `The proxy token of ${subject} came in the clear, and the store could not be told: only this process refuses it. Revoke its session.`,
      details: { id: claims['jti'] },
    });
  }

  /** The next use of its token asks the store. */
  forget(sessionId: string): void {
    const digest = this.#digests.get(sessionId);
    if (digest !== undefined) this.#drop(digest);
  }

  #drop(digest: string): void {
    const { sessionId } = this.#known.get(digest) ?? {};
    this.#known.delete(digest);
    if (sessionId !== undefined) this.#digests.delete(sessionId);
  }

  #closeHere(digest: string): void {
    this.#exposed.add(digest);
    this.#drop(digest);
    const [oldest] = this.#exposed;
    if (this.#exposed.size > defaultLimits.proxyTokensKeptMax && oldest !== undefined)
      this.#exposed.delete(oldest);
  }

  #verify(text: string, nowMs: number): Promise<ProxyToken> {
    const { signingKey: key, issuer, audience } = this.#options;
    return verifyProxyToken(text, { key, issuer, audience, nowMs });
  }

  #keep(digest: string, known: Known): void {
    this.#known.delete(digest);
    this.#known.set(digest, known);
    const [oldest] = this.#known.keys();
    if (this.#known.size > defaultLimits.proxyTokensKeptMax && oldest !== undefined) this.#drop(oldest);
  }

  async #begin(token: ProxyToken, traceId: string): Promise<Principal> {
    const { store, audit, clock } = this.#options;
    if (!audit.healthy)
      throw new ProxyError(
        'audit_unavailable',
        'The audit cannot be written, so no session begins; try again later.',
      );
    for (let attempt = 0; attempt < defaultLimits.proxyBeginningsMax; attempt += 1) {
      const nowMs = clock();
      const consumer = await store.tokens.consumedBy(token.tokenKey);
      if (consumer === withdrawnToken)
        throw new ProxyError('session_revoked', 'The proxy token was withdrawn before it was used.');
      if (consumer !== undefined) return livingPrincipal(await store.sessions.find(consumer), nowMs);
      const session = this.#sessionOf(token, nowMs);
      const outcome = await store.sessions.enrol(session, this.#options.limits);
      if (outcome.kind === 'too_many_enrolments')
        throw new ProxyError(
          'token_invalid',
          'The proxy token was begun with too often (enrolmentsPerTokenMax).',
        );
      if (outcome.kind !== 'enrolled') continue;
      const { kind } = await store.sessions.commit(session.id, nowMs);
      if (kind !== 'committed' && kind !== 'already_committed') continue;
      await this.#record(session, outcome.superseded, traceId);
      return principalOf(session);
    }
    throw new ProxyError('store_unavailable', 'Others begin a session with the same token again and again.');
  }

  #sessionOf({ issuer, subject, tokenKey, expiresMs, claims }: ProxyToken, nowMs: number): NewSession {
    const { commitTimeoutMs, sessionLifetimeMs } = this.#options.limits;
    return {
      id: randomUUID(),
      tokenKey,
      tokenExpiresMs: expiresMs,
      principalId: principalIdOf(issuer, subject),
      claims,
      posture,
      // No access token is bound to it: nothing of the session API knows this session.
      keyThumbprint: 'none',
      agentVersion: 'none',
      enrolledMs: nowMs,
      commitByMs: nowMs + commitTimeoutMs,
      endsMs: Math.min(expiresMs, nowMs + sessionLifetimeMs),
    };
  }

  async #record(session: NewSession, superseded: readonly string[], traceId: string): Promise<void> {
    const { audit, sessions } = this.#options;
    const { id: sessionId, principalId: principal, enrolledMs: nowMs } = session;
    try {
      const enrolled: SessionRecord = { ...session, state: 'enrolled' };
      await recordEnrolment(
        audit,
        { nowMs, traceId },
        { session: enrolled, superseded, agentSession: undefined },
      );
      await audit.record({ action: 'committed', nowMs, traceId, sessionId, principal });
    } catch (error) {
      // Nobody would know of it.
      await sessions.revoke(sessionId, 'its beginning could not be recorded').catch(() => false);
      throw error;
    }
  }
}

/** Names a token in memory without being it. */
export function tokenDigest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

function livingPrincipal(session: SessionRecord | undefined, nowMs: number): Principal {
  return principalOf(assertAlive(session, nowMs));
}
