// HTTP in front of the session service: POST …/session, POST …/session/commit, DELETE …/session.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import type { ErrorCode } from '../../protocol/error-table.ts';
import { defaultLimits, type LimitName, type Limits } from '../../protocol/limits.ts';
import { problemResponse } from '../../net/problem-response.ts';
import {
  sessionCommitPath,
  sessionNarrowPath,
  sessionPath,
  sessionProblem,
  type SessionResponse,
} from '../../protocol/session-messages.ts';
import { newTraceId } from '../audit/event-identity.ts';
import { askAgainSeconds } from './ask-again.ts';
import { NonceNeeded } from './proof-nonces.ts';
import type { SessionRequest } from './session-authenticator.ts';
import type { SessionService } from './session-service.ts';

export interface SessionEndpointContext {
  readonly sessions: SessionService;
  /**
   * Origins (`https://host:port`) under which agents reach this gateway; a proof must name one of them.
   * Empty: the `Host` field is believed, which is enough where a proof can only be used once.
   */
  readonly publicOrigins: readonly string[];
  readonly limits?: Limits;
  readonly clock?: () => number;
  /** Told of responses with status 500 and above: the agent gets no details of those. */
  /** A request of a living session was served. */
  readonly onServed?: (request: IncomingMessage) => void;
  /** A session token did not verify: gives what the stranger is told, when it is told. */
  readonly onTokenRefused?: (request: IncomingMessage, refusal: ProxyError) => Promise<ProxyError>;
  readonly onLimit?: (limit: LimitName) => void;
  readonly onFault?: (error: ProxyError, traceId: string) => void;
}

/** Codes of tokens that are not of an issuer that is trusted, or not any more. */
const strangerCodes: ReadonlySet<ErrorCode> = new Set(['token_malformed', 'token_invalid', 'token_expired']);

async function toldTo(
  request: IncomingMessage,
  refusal: ProxyError,
  { onTokenRefused }: SessionEndpointContext,
): Promise<ProxyError> {
  const isEnrolment = /^Bearer /i.test(onlyField(request, 'authorization') ?? '');
  if (onTokenRefused === undefined || !isEnrolment || !strangerCodes.has(refusal.code)) return refusal;
  return onTokenRefused(request, refusal);
}

/** Serves one request; never throws. Every refusal is a `SessionProblem`, and nothing of a token is in it. */
export async function handleSessionRequest(
  request: IncomingMessage,
  response: ServerResponse,
  context: SessionEndpointContext,
): Promise<void> {
  const traceId = newTraceId();
  try {
    const body = await serve(request, context, traceId);
    context.onServed?.(request);
    send(response, 200, body);
  } catch (error) {
    const refusal = await toldTo(request, asProxyError(error), context);
    if (refusal.limit !== undefined) context.onLimit?.(refusal.limit);
    if (isOurFault(refusal)) context.onFault?.(refusal, traceId);
    // A body that was not read to its end would be taken for the next request.
    if (!request.complete) response.setHeader('connection', 'close');
    sendProblem(response, refusal, traceId);
  }
}

/**
 * The URL that a proof for this request must name, without query. Throws ProxyError `authority_mismatch`
 * if the `Host` field is not one of the gateway's public origins. Also right for the tunnel's upgrade request.
 */
function publicUrlOf(request: IncomingMessage, publicOrigins: readonly string[]): string {
  // `encrypted` is there on TLS sockets only.
  const scheme = 'encrypted' in request.socket ? 'https' : 'http';
  const claimed = `${scheme}://${request.headers.host ?? ''}`;
  const host = URL.canParse(claimed) ? new URL(claimed).host : undefined;
  const path = (request.url ?? '/').split('?', 1)[0];
  // Behind a load balancer that ends TLS the schemes differ, so hosts are compared.
  const origin = publicOrigins.find((candidate) => new URL(candidate).host === host);
  if (origin === undefined) {
    throw new ProxyError(
      'authority_mismatch',
      'The Host field is none of the origins of this gateway; see publicNames and publicOrigins of its configuration.',
    );
  }
  return `${new URL(origin).origin}${path}`;
}

/** The parts of a request that authenticate it. */
export function sessionRequestOf(
  request: IncomingMessage,
  publicOrigins: readonly string[],
  at: { readonly nowMs: number; readonly traceId?: string },
): SessionRequest {
  return {
    ...at,
    authorization: onlyField(request, 'authorization'),
    proof: onlyField(request, 'dpop'),
    method: request.method ?? '',
    url: publicUrlOf(request, publicOrigins),
  };
}

async function serve(
  request: IncomingMessage,
  context: SessionEndpointContext,
  traceId: string,
): Promise<object> {
  const { sessions, clock = Date.now } = context;
  const path = (request.url ?? '').split('?', 1)[0];
  const body = await readBody(request, context.limits ?? defaultLimits);
  const parts = sessionRequestOf(request, context.publicOrigins, { nowMs: clock(), traceId });
  switch (`${request.method} ${path}`) {
    case `POST ${sessionPath}`: {
      const token = /^Bearer ([^ ]+)$/i.exec(parts.authorization ?? '')?.[1];
      if (token === undefined) return sessions.renew(parts);
      return sessions.enrol({ ...parts, token, body: parseJson(body) });
    }
    case `POST ${sessionCommitPath}`:
      return committed(await sessions.commit(parts));
    case `POST ${sessionNarrowPath}`:
      return sessions.narrow(parts, parseJson(body));
    case `DELETE ${sessionPath}`:
      await sessions.end(parts);
      return { ended: true };
    default:
      throw new ProxyError(
        'request_malformed',
        `There is no ${request.method} on this path; see the session API.`,
      );
  }
}

/** Agents of an earlier version look at nothing of it. */
function committed({ access_token, token_type, expires_in }: SessionResponse): object {
  return { committed: true, access_token, token_type, expires_in };
}

/** The value of a field that stands exactly once. */
function onlyField(request: IncomingMessage, name: string): string | undefined {
  const values = request.headersDistinct[name] ?? [];
  return values.length === 1 ? values[0] : undefined;
}

async function readBody(request: IncomingMessage, limits: Limits): Promise<Buffer> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(
      new ProxyError(
        'timeout',
        `The body did not arrive within ${limits.enrolTimeoutMs} ms (enrolTimeoutMs).`,
        { limit: 'enrolTimeoutMs' },
      ),
    );
  }, limits.enrolTimeoutMs);
  try {
    return await Promise.race([collect(request, limits.agentBodyBytesMax), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function collect(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // The request must stay usable for the response, which leaving the loop early would prevent.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    if (!(chunk instanceof Buffer))
      throw new ProxyError('internal', 'The request gives text where bytes are expected.');
    bytes += chunk.length;
    if (bytes > bytesMax) {
      throw new ProxyError(
        'request_malformed',
        `The body is longer than ${bytesMax} bytes (agentBodyBytesMax).`,
        { limit: 'agentBodyBytesMax' },
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    // The parser's own message quotes the text.
    throw new ProxyError('request_malformed', 'The body is not JSON.');
  }
}

/** Faults of ours, whose messages may name what is none of the agent's business. */
const isTold: ReadonlySet<ErrorCode> = new Set(['timeout', 'shutting_down', 'audit_unavailable']);

function isOurFault({ code, httpStatus, retryAfterSeconds }: ProxyError): boolean {
  return httpStatus >= 500 && !isTold.has(code) && retryAfterSeconds === undefined;
}

function sendProblem(response: ServerResponse, refusal: ProxyError, traceId: string): void {
  const { code, httpStatus } = refusal;
  // RFC 9449 §7.1: a 401 says which scheme and algorithms would do.
  if (httpStatus === 401) response.setHeader('www-authenticate', 'DPoP algs="EdDSA Ed25519 ES256"');
  if (refusal instanceof NonceNeeded) response.setHeader('dpop-nonce', refusal.nonce);
  const seconds = askAgainSeconds(refusal);
  if (seconds !== undefined) response.setHeader('retry-after', String(seconds));
  const message = isOurFault(refusal)
    ? `The gateway failed; its log has the cause under trace id ${traceId}.`
    : refusal.message;
  if (response.headersSent || response.destroyed) return;
  problemResponse(response, sessionProblem(code, message, { traceId }), { 'cache-control': 'no-store' });
}

function send(response: ServerResponse, status: number, body: object): void {
  if (response.headersSent || response.destroyed) return;
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': bytes.length,
    'cache-control': 'no-store',
  });
  response.end(bytes);
}
