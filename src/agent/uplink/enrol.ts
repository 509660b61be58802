// The session requests: enrol with the token once, then renew, commit and end with the access token and the key.

import { retryAfterSecondsOf } from '../../http/retry-after.ts';
import { checkCertificates } from '../../pki/pem.ts';
import type { ChildRequest } from '../../protocol/child-lines.ts';
import { ProxyError } from '../../protocol/error.ts';
import { knownErrorCode } from '../../protocol/error-table.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import { isKnownHosts } from '../../protocol/known-hosts.ts';
import { isSigningKey } from '../../protocol/signing-key.ts';
import { printable } from '../../protocol/printable.ts';
import {
  type EnrolRequest,
  type NarrowRequest,
  type Posture,
  type SessionResponse,
  sessionCommitPath,
  sessionNarrowPath,
  sessionPath,
} from '../../protocol/session-messages.ts';
import { delay } from './delay.ts';
import type { Gateway } from './gateway-connection.ts';
import { type HttpRequest, type HttpResponse, sendRequest } from './http-request.ts';
import { type ProofTarget, SessionKey } from './session-key.ts';
import type { SessionToken } from './token.ts';

/** Version that the agent tells the gateway. */
export const agentVersion = '0.1.0';

export interface EnrolOptions {
  readonly gateway: Gateway;
  readonly token: SessionToken;
  /** The fresh key that the session is bound to. */
  readonly key: SessionKey;
  readonly posture: Posture;
  /** What the caller calls the session; printable ASCII. */
  readonly callerSession?: string;
  readonly limits: Limits;
  readonly signal?: AbortSignal;
}

/**
 * Exchanges the token for a session that is bound to a fresh key. The token's memory is zeroed, whatever happens.
 * Throws what the gateway responded with (token_expired, token_reused …) or why it could not be asked.
 */
export async function enrol(options: EnrolOptions): Promise<AgentSession> {
  const { gateway, token, key, posture, callerSession: session, limits, signal } = options;
  try {
    const agent = { version: agentVersion, ...(session === undefined ? {} : { session }) };
    const body: EnrolRequest = { key: key.publicJwk, posture, agent };
    const url = `${gateway.address.baseUrl}${sessionPath}`;
    const untilMs = performance.now() + defaultLimits.enrolRetryMsMax;
    for (;;) {
      const request: HttpRequest = {
        method: 'POST',
        path: sessionPath,
        // Each attempt has a proof of its own: one counts once.
        fields: [['DPoP', await key.proof({ method: 'POST', url })]],
        authorization: { scheme: 'Bearer', credential: token.bytes },
        body,
        bodyBytesMax: limits.agentBodyBytesMax,
      };
      const response = await sendRequest(gateway, request, limits, signal);
      const waitMs = retryAfterMs(response);
      if (waitMs === undefined || performance.now() + waitMs > untilMs)
        return new AgentSession({ gateway, key, posture, limits, response: sessionResponse(response) });
      // Others wait for the same.
      await delay(waitMs * (1 + Math.random() / 4), signal ?? new AbortController().signal);
    }
  } finally {
    token.zero();
  }
}

/** How long a gateway asks to wait that takes no enrolment now. */
function retryAfterMs({ status, headers }: HttpResponse): number | undefined {
  const seconds = retryAfterSecondsOf(status, headers);
  return seconds === undefined ? undefined : Math.max(1, seconds) * 1000;
}

interface AgentSessionParts {
  readonly gateway: Gateway;
  readonly key: SessionKey;
  readonly posture: Posture;
  readonly limits: Limits;
  readonly response: SessionResponse;
}

/** A session as the agent holds it: the access token in force and the key that signs with it. */
export class AgentSession {
  readonly gateway: Gateway;
  readonly #key: SessionKey;
  readonly #limits: Limits;
  readonly #posture: Posture;
  #response: SessionResponse;
  #renewedMs: number;

  constructor(parts: AgentSessionParts) {
    this.gateway = parts.gateway;
    this.#key = parts.key;
    this.#limits = parts.limits;
    this.#posture = parts.posture;
    this.#response = parts.response;
    this.#renewedMs = performance.now();
    this.gateway.trustToo(parts.response.gateway_ca);
  }

  /** The gateway's latest response: placeholders, capture ports, modes. */
  get response(): SessionResponse {
    return this.#response;
  }

  get id(): string {
    return this.#response.session_id;
  }

  /** Milliseconds until the access token expires; negative after that. Counted on the monotonic clock. */
  get expiresInMs(): number {
    return this.#renewedMs + this.#response.expires_in * 1000 - performance.now();
  }

  /** Lifetime of the current access token in milliseconds. */
  get lifetimeMs(): number {
    return this.#response.expires_in * 1000;
  }

  /** By the key of the session. */
  signText(text: Uint8Array): Promise<Uint8Array> {
    return this.#key.signText(Uint8Array.from(text));
  }

  /** `Authorization` and `DPoP` for one request with the access token. */
  async authorize(
    method: string,
    path: string,
    by: Pick<ProofTarget, 'nonce' | 'isChallenged'> = {},
  ): Promise<readonly (readonly [string, string])[]> {
    const url = `${this.gateway.address.baseUrl}${path}`;
    const accessToken = this.#response.access_token;
    const proof = await this.#key.proof({ method, url, accessToken, ...by });
    return [
      ['Authorization', `DPoP ${accessToken}`],
      ['DPoP', proof],
    ];
  }

  /** Gets a new access token for the same session. Throws session_revoked, session_unknown … */
  async renew(signal?: AbortSignal): Promise<void> {
    const body: EnrolRequest = {
      key: this.#key.publicJwk,
      posture: this.#posture,
      agent: { version: agentVersion },
    };
    const startedMs = performance.now();
    const response = sessionResponse(await this.#send('POST', sessionPath, { body, signal }));
    if (response.session_id !== this.id) {
      throw new ProxyError('gateway_protocol', 'the gateway renewed another session than was asked for');
    }
    this.#response = response;
    this.#renewedMs = startedMs;
    this.gateway.trustToo(response.gateway_ca);
  }

  /** Consumes the session token for good. The gateway takes it twice without harm. */
  async commit(signal?: AbortSignal): Promise<void> {
    const startedMs = performance.now();
    const response = await this.#send('POST', sessionCommitPath, { signal });
    requireSuccess(response);
    const given = committedToken(response);
    if (given === undefined) return;
    this.#response = { ...this.#response, ...given };
    this.#renewedMs = startedMs;
  }

  /** Makes a session that may less, with a key of its own; it is committed. Throws what the gateway refuses. */
  async narrow({ policy, lifetimeMs, confined }: ChildRequest): Promise<AgentSession> {
    const key = await SessionKey.generate();
    const body: NarrowRequest = {
      key: key.publicJwk,
      policy,
      ...(lifetimeMs === undefined ? {} : { lifetime_ms: lifetimeMs }),
      confined,
      agent: { version: agentVersion },
    };
    const response = sessionResponse(await this.#send('POST', sessionNarrowPath, { body }));
    return new AgentSession({
      gateway: this.gateway,
      key,
      posture: this.#posture,
      limits: this.#limits,
      response,
    });
  }

  /** Ends the session at the gateway. */
  async end(signal?: AbortSignal): Promise<void> {
    requireSuccess(await this.#send('DELETE', sessionPath, { signal }));
  }

  async #send(
    method: 'POST' | 'DELETE',
    path: string,
    options: { readonly body?: unknown; readonly signal?: AbortSignal | undefined },
  ): Promise<HttpResponse> {
    const request: HttpRequest = {
      method,
      path,
      fields: await this.authorize(method, path),
      ...(options.body === undefined ? {} : { body: options.body }),
      bodyBytesMax: this.#limits.agentBodyBytesMax,
    };
    return sendRequest(this.gateway, request, this.#limits, options.signal);
  }
}

/** The error of a session request that was not a success; codes that are not in our table are gateway_protocol. */
export function problemOf({
  status,
  headers,
  body,
}: Pick<HttpResponse, 'status' | 'headers' | 'body'>): ProxyError {
  const problem = jsonOf(body);
  const retryAfterSeconds = retryAfterSecondsOf(status, headers);
  const asked = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  const code = knownErrorCode(problem['error']);
  const message = problem['message'];
  if (code !== undefined) {
    return new ProxyError(
      code,
      `the gateway refused: ${typeof message === 'string' ? printable(message) : code}`,
      asked,
    );
  }
  return new ProxyError(
    'gateway_protocol',
    `the gateway responded with status ${status} and no reason`,
    asked,
  );
}

function requireSuccess(response: HttpResponse): void {
  if (response.status < 200 || response.status > 299) throw problemOf(response);
}

/** The access token of a session that is committed: while its store is away a gateway knows no other way. A gateway of an earlier version gives none. */
function committedToken(
  response: HttpResponse,
): Pick<SessionResponse, 'access_token' | 'expires_in'> | undefined {
  const { access_token: token, expires_in: lifetime } = jsonOf(response.body);
  const isToken = typeof token === 'string' && /^[\x21-\x7e]{1,8192}$/.test(token);
  if (!isToken || typeof lifetime !== 'number' || !(lifetime > 0) || !Number.isFinite(lifetime))
    return undefined;
  return { access_token: token, expires_in: lifetime };
}

function sessionResponse(response: HttpResponse): SessionResponse {
  requireSuccess(response);
  const json = jsonOf(response.body);
  const refuse = (name: string): never => {
    throw new ProxyError('gateway_protocol', `the session response of the gateway has no valid ${name}`);
  };
  const text = (name: string): string => {
    const value = json[name];
    // Both travel in header lines later; printable ASCII without spaces is all that they ever are.
    return typeof value === 'string' && /^[\x21-\x7e]{1,8192}$/.test(value) ? value : refuse(name);
  };
  const gatewayCa = json['gateway_ca'];
  if (gatewayCa !== undefined && !isAuthorities(gatewayCa)) return refuse('gateway_ca');
  const knownHosts = json['known_hosts'];
  if (knownHosts !== undefined && !isKnownHosts(knownHosts)) return refuse('known_hosts');
  const signing = json['signing'];
  if (signing !== undefined && !isSigningKey(signing)) return refuse('signing');
  const lifetime = json['expires_in'];
  if (typeof lifetime !== 'number' || !(lifetime > 0) || !Number.isFinite(lifetime))
    return refuse('expires_in');
  if (json['token_type'] !== 'DPoP') return refuse('token_type');
  return {
    session_id: text('session_id'),
    access_token: text('access_token'),
    token_type: 'DPoP',
    expires_in: lifetime,
    placeholders: placeholdersOf(json['placeholders']) ?? refuse('placeholders'),
    capture_ports: listOf(json['capture_ports'], isPort) ?? refuse('capture_ports'),
    ...(knownHosts === undefined ? {} : { known_hosts: knownHosts }),
    modes: listOf(json['modes'], (value) => typeof value === 'string') ?? refuse('modes'),
    ...(signing === undefined ? {} : { signing }),
    ...(json['ssh_agent'] === true ? { ssh_agent: true as const } : {}),
    ...(gatewayCa === undefined ? {} : { gateway_ca: gatewayCa }),
    link_keys: listOf(json['link_keys'], isLinkKey) ?? refuse('link_keys'),
  };
}

// A later gateway may leave lists out; a wrong type is a fault.
function listOf<T>(value: unknown, accepts: (item: unknown) => item is T): readonly T[] | undefined {
  if (value === undefined) return [];
  return Array.isArray(value) && value.every((item) => accepts(item)) ? value : undefined;
}

function placeholdersOf(value: unknown): Readonly<Record<string, string>> | undefined {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const result: Record<string, string> = {};
  for (const [name, text] of Object.entries(value)) {
    // What is not a plain name with a plain value cannot be an environment variable.
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || typeof text !== 'string' || /[\0\r\n]/.test(text))
      return undefined;
    result[name] = text;
  }
  return result;
}

function isAuthorities(value: unknown): value is string {
  try {
    return typeof value === 'string' && checkCertificates(value).length > 0;
  } catch {
    // Said by the name of the member.
    return false;
  }
}

/** 32 octets in the one spelling that base64url has for them. */
function isLinkKey(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/.test(value);
}

function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535;
}

function jsonOf(body: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'));
    // An object literal of JSON has string keys; its values are checked one by one.
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Not JSON: a response of something that is not our gateway, handled as an empty one.
  }
  return {};
}
