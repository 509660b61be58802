// Whose a connection to the proxy listener is: the token of each request is looked at, and what is refused is said in one way.

import { ProxyError, asProxyError } from '../../protocol/error.ts';
import type { ErrorCode } from '../../protocol/error-table.ts';
import type { LimitName, Limits } from '../../protocol/limits.ts';
import type { Principal } from '../../policy/decision.ts';
import type { EnrolmentFailures } from '../admission/enrolment-failures.ts';
import { newTraceId } from '../audit/event-identity.ts';
import type { SessionAudit } from '../audit/session-audit.ts';
import { type ProxySessions, tokenDigest } from '../sessions/proxy-sessions.ts';
import type { SessionService } from '../sessions/session-service.ts';
import { exposedTokens } from './exposed-tokens.ts';
import { proxyToken } from './proxy-credentials.ts';

export interface ProxyDeskOptions {
  readonly tokens: Pick<ProxySessions, 'admit' | 'expose' | 'forget'>;
  readonly sessions: Pick<SessionService, 'requireAlive' | 'onEnded'>;
  readonly records: SessionAudit;
  readonly failures: EnrolmentFailures;
  readonly limits: Limits;
  readonly clock: () => number;
  readonly onLimit: (limit: LimitName) => void;
}

/** A connection, or a stream of one, that showed a token. */
export interface ProxyPass {
  readonly principal: Principal;
  /** Of the token. */
  readonly digest: string;
  /** Whether another request shows the same token, and shows it nowhere else. */
  isShownIn(values: readonly string[], target: string): boolean;
  /** It is over. */
  release(): void;
}

/** What a token itself is refused for: whoever brings it is told no more than that. */
const refusedTokens: ReadonlySet<ErrorCode> = new Set([
  'token_malformed',
  'token_invalid',
  'token_expired',
  'session_unknown',
  'session_revoked',
]);

export class ProxyDesk implements Disposable {
  readonly #options: ProxyDeskOptions;
  /** What ends with a session. */
  readonly #open = new Map<string, Set<(error: ProxyError) => void>>();
  readonly #unlisten: () => void;

  constructor(options: ProxyDeskOptions) {
    this.#options = options;
    this.#unlisten = options.sessions.onEnded((sessionId, reason) => {
      options.tokens.forget(sessionId);
      const error = new ProxyError('session_revoked', `the session ended: ${reason}`);
      for (const end of this.#open.get(sessionId) ?? []) end(error);
    });
  }

  /**
   * Takes a request with these values of Proxy-Authorization. `end` is called when its session ends. Throws `proxy_token_needed`,
   * `stream_limit`, `limit_exceeded`, and what the gateway itself is refused by.
   */
  async admit(
    values: readonly string[],
    address: string,
    { target = '', end }: { readonly target?: string; readonly end: (error: ProxyError) => void },
  ): Promise<ProxyPass> {
    const traceId = newTraceId();
    try {
      const token = proxyToken(values);
      if (token === undefined) throw neededToken();
      const digest = tokenDigest(token);
      if (hasToken(target, digest))
        throw new ProxyError('token_malformed', 'The token stands in the URL as well.');
      const principal = await this.#options.tokens.admit(token, address, traceId);
      return await this.#take({ principal, digest }, end);
    } catch (error) {
      throw await this.#told(asProxyError(error), address, traceId);
    }
  }

  /** Takes what another worker admitted, whose address is not known here. Throws as `admit` does. */
  async takePassed(
    passed: Pick<ProxyPass, 'principal' | 'digest'>,
    end: (error: ProxyError) => void,
  ): Promise<ProxyPass> {
    try {
      return await this.#take(passed, end);
    } catch (error) {
      throw await this.#told(asProxyError(error), undefined, newTraceId());
    }
  }

  async #take(
    { principal, digest }: Pick<ProxyPass, 'principal' | 'digest'>,
    end: (error: ProxyError) => void,
  ): Promise<ProxyPass> {
    const release = this.#seat(principal.sessionId, end);
    try {
      await this.#options.sessions.requireAlive(principal.sessionId, true);
    } catch (error) {
      release();
      throw error;
    }
    return { principal, digest, release, isShownIn: (shown, at) => isSameToken(shown, at, digest) };
  }

  /** Takes what came in the clear. Gives whether a token in it is good for nothing from now on. */
  async exposed(bytes: Uint8Array, address: string): Promise<boolean> {
    const { tokens, userAgent } = exposedTokens(bytes);
    let isExposed = false;
    for (const token of tokens)
      isExposed =
        (await this.#options.tokens.expose(token, { address, userAgent }, newTraceId())) || isExposed;
    // Each look may cost the store something, and a client may go on for as long as it likes.
    if (tokens.length > 0) this.#count(await this.#options.failures.told(address, neededToken()));
    return isExposed;
  }

  /** What was no request at all: the reason stands in the audit, bounded. Gives what the client is told. */
  malformed(error: ProxyError): ProxyError {
    const told = new ProxyError(error.code, withoutTokens(error.message), given(error.limit));
    this.#count(told);
    this.#options.records.strangerRefused(told, this.#options.clock(), undefined);
    return told;
  }

  [Symbol.dispose](): void {
    this.#unlisten();
    const error = new ProxyError('shutting_down', 'the gateway is ending');
    for (const ends of this.#open.values()) for (const end of ends) end(error);
  }

  #seat(sessionId: string, end: (error: ProxyError) => void): () => void {
    const { proxyStreamsPerSessionMax: max } = this.#options.limits;
    const seats = this.#open.get(sessionId) ?? new Set();
    if (seats.size >= max)
      throw new ProxyError(
        'stream_limit',
        `the session already has ${max} connections (proxyStreamsPerSessionMax)`,
        { limit: 'proxyStreamsPerSessionMax' },
      );
    this.#open.set(sessionId, seats.add(end));
    return () => {
      seats.delete(end);
      if (seats.size === 0 && this.#open.get(sessionId) === seats) this.#open.delete(sessionId);
    };
  }

  async #told(error: ProxyError, address: string | undefined, traceId: string): Promise<ProxyError> {
    const { records, failures, clock } = this.#options;
    this.#count(error);
    if (error.code === 'proxy_token_needed') return error;
    if (refusedTokens.has(error.code)) {
      records.strangerRefused(error, clock(), traceId);
      // Who guesses waits, and is told the same.
      const refusal = refusedToken(traceId);
      if (address !== undefined) this.#count(await failures.told(address, refusal));
      return refusal;
    }
    if (error.httpStatus < 500) return error;
    return new ProxyError(error.code, 'The gateway cannot look at the token now; try again later.', {
      cause: error,
      ...(error.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: error.retryAfterSeconds }),
    });
  }

  #count({ limit }: ProxyError): void {
    if (limit !== undefined) this.#options.onLimit(limit);
  }
}

function given(limit: LimitName | undefined): { readonly limit?: LimitName } {
  return limit === undefined ? {} : { limit };
}

function isSameToken(values: readonly string[], target: string, digest: string): boolean {
  try {
    const token = proxyToken(values);
    return token !== undefined && tokenDigest(token) === digest && !hasToken(target, digest);
  } catch {
    // What is malformed is not it.
    return false;
  }
}

/** It would stand in the audit, and in the log of the origin. */
function hasToken(target: string, digest: string): boolean {
  return exposedTokens(Buffer.from(target, 'latin1')).tokens.some((one) => tokenDigest(one) === digest);
}

function withoutTokens(message: string): string {
  return message.replaceAll(/eyJ[A-Za-z0-9._-]*/g, 'eyJ…');
}

export function neededToken(): ProxyError {
  return new ProxyError(
    'proxy_token_needed',
    'This proxy wants a proxy token: send it as the password of Basic, or as Bearer, in Proxy-Authorization.',
  );
}

function refusedToken(traceId: string): ProxyError {
  return new ProxyError(
    'proxy_token_needed',
    `The proxy token is not accepted. It may be expired, revoked or not for this network; the operator of the gateway finds the reason under the trace id ${traceId}.`,
  );
}
