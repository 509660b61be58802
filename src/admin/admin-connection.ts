// The admin API as commands and programs ask it: verified TLS, bounded in time and bytes, no redirects, and every response read by the schema of its operation.

import { Agent, request as httpsRequest } from 'node:https';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { AdminRoute } from '../api/admin/route.ts';
import {
  type AdminOperation,
  adminRoutes,
  type OutputOf,
  type StreamingOperation,
} from '../api/admin/routes.ts';
import { loadSystemTrust } from '../net/system-trust.ts';
import { faultReason } from '../protocol/fault-reason.ts';
import { defaultLimits } from '../protocol/limits.ts';
import type { Secret } from '../protocol/secret.ts';
import { http } from '../system/http-module.ts';
import { AdminError, type AdminFault, readRetryAfter, refusalOf } from './admin-error.ts';
import { requireWanted } from './retried-call.ts';

export interface ServerPlace {
  /** Origin of the admin port, or the path of its Unix socket. */
  readonly server: URL | string;
  /** PEM; undefined: what this machine trusts. */
  readonly ca?: string | undefined;
  /** A socket may need none: the kernel says who asks. */
  readonly token: Secret<string> | undefined;
  /** At once; one by default. */
  readonly connectionsMax?: number;
}

export interface Question {
  /** The segment in braces of the path. */
  readonly id?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object | undefined;
  readonly ifMatch?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  /** Ends it before its time. */
  readonly signal?: AbortSignal | undefined;
}

/** What is sent. */
interface Sending extends Omit<Question, 'id' | 'query'> {
  readonly operation: AdminOperation;
  readonly route: AdminRoute;
  readonly path: string;
}

/** A connection that was kept from an earlier question broke before there was a response. */
class StaleConnection extends Error {
  constructor(cause: unknown) {
    super('the connection was closed', { cause });
  }
}

/** What a network may do to one question and not to the next. */
const passingCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
]);

export class AdminConnection implements AsyncDisposable {
  readonly #server: URL | string;
  /** Of a connection by TLS. */
  readonly #trust: TlsTrust | undefined;
  readonly #agent: Agent | InstanceType<typeof http.Agent>;
  #token: Secret<string> | undefined;

  constructor({ server, ca, token, connectionsMax = 1 }: ServerPlace) {
    this.#server = server;
    this.#token = token;
    const isTls = typeof server !== 'string' && server.protocol === 'https:';
    this.#trust = isTls ? trustOf(ca) : undefined;
    const kept = { keepAlive: true, maxSockets: connectionsMax };
    this.#agent = this.#trust === undefined ? new http.Agent(kept) : new Agent({ ...kept, ...this.#trust });
  }

  /** Where it asks, for people. */
  get place(): string {
    return typeof this.#server === 'string' ? this.#server : this.#server.origin;
  }

  /** The next questions have this one. */
  useToken(token: Secret<string> | undefined): void {
    this.#token = token;
  }

  /** Once; nothing is tried again. @throws AdminError with the code and the sentence of the API's refusal; admin_unreachable */
  async ask<Operation extends AdminOperation>(
    operation: Operation,
    question: Question = {},
  ): Promise<OutputOf<Operation>> {
    const sending = sendingOf(operation, question);
    const response = await this.#within(sending, (signal) => this.#send(sending, signal));
    const { route } = sending;
    const value: unknown = route.form === 'text' ? response.text : jsonOf(response.text);
    // What says nothing of its form is read by the schema alone.
    const isOfItsForm = response.type === undefined || response.type === mediaTypes[route.form ?? 'json'];
    if (!isOfItsForm || !route.output.safeParse(value).success)
      throw this.#unreachable(operation, 'what responds there is no admin API that this program knows');
    // It fits the schema of this operation; what a later version has beside that is kept.
    return value as OutputOf<Operation>;
  }

  /** A stream of events, once it has begun, on a connection of its own. Who got it ends it. @throws AdminError */
  async follow(
    operation: StreamingOperation,
    question: Pick<Question, 'query' | 'body'>,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const sending = sendingOf(operation, question);
    const response = await this.#within({ ...sending, signal }, async (either) => {
      const began = await this.#begin(sending, { signal: either, agent: false });
      if (began.statusCode === 200) return began;
      throw this.#refusal(sending.operation, began, await textOf(began));
    });
    if (mediaTypeOf(response) === mediaTypes.stream) return response;
    response.destroy();
    throw this.#unreachable(operation, 'what responds there is no admin API that this program knows');
  }

  /** Within the time of a response, and until who asked wants no more. */
  async #within<T>(
    { operation, signal }: Pick<Sending, 'operation' | 'signal'>,
    send: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    // Ends what has not begun, and not a stream that has.
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), defaultLimits.adminResponseTimeoutMs);
    try {
      return await send(signal === undefined ? late.signal : AbortSignal.any([late.signal, signal]));
    } catch (error) {
      if (error instanceof AdminError) throw error;
      requireWanted(signal);
      const cause = error instanceof StaleConnection ? error.cause : error;
      const why = late.signal.aborted ? 'no response in time' : faultReason(cause);
      throw this.#unreachable(operation, why, { cause, isPassing: late.signal.aborted || isPassing(cause) });
    } finally {
      clearTimeout(timer);
    }
  }

  async #send(
    sending: Sending,
    signal: AbortSignal,
  ): Promise<{ readonly text: string; readonly type: string | undefined }> {
    const sendOnce = (): Promise<IncomingMessage> => this.#begin(sending, { signal, agent: this.#agent });
    const response = await sendOnce().catch(async (error: unknown) => {
      // The server may close a kept connection in the very moment of the next question, which it has then not seen.
      if (!(error instanceof StaleConnection) || sending.route.method !== 'GET') throw error;
      return await sendOnce();
    });
    const text = await textOf(response);
    if ((response.statusCode ?? 0) >= 300) throw this.#refusal(sending.operation, response, text);
    return { text, type: mediaTypeOf(response) };
  }

  async #begin(
    { route, path, body, ifMatch, idempotencyKey }: Sending,
    {
      signal,
      agent,
    }: { readonly signal: AbortSignal; readonly agent: Agent | InstanceType<typeof http.Agent> | false },
  ): Promise<IncomingMessage> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const token = this.#token?.reveal();
    const options = {
      method: route.method,
      agent,
      signal,
      headers: {
        accept: mediaTypes[route.form ?? 'json'],
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
        ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
        ...(text === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
      },
    };
    const { promise, resolve, reject } = settling<IncomingMessage>();
    const asked = this.#request(path, options, resolve);
    asked.on('error', (error) => reject(asked.reusedSocket ? new StaleConnection(error) : error));
    asked.end(text);
    return await promise;
  }

  #request(
    path: string,
    options: Parameters<typeof httpsRequest>[1] & object,
    onResponse: (response: IncomingMessage) => void,
  ): ClientRequest {
    if (typeof this.#server === 'string') {
      const headers = { ...options.headers, host: 'localhost' };
      return http.request({ ...options, headers, socketPath: this.#server, path }, onResponse);
    }
    const url = new URL(path, this.#server);
    if (this.#trust === undefined) return http.request(url, options, onResponse);
    return httpsRequest(url, { ...options, ...this.#trust }, onResponse);
  }

  #refusal(operation: AdminOperation, response: IncomingMessage, text: string): AdminError {
    return refusalOf(
      { server: this.place, operation },
      {
        status: response.statusCode ?? 0,
        retryAfterSeconds: readRetryAfter(response.headers['retry-after'], Date.now()),
        json: jsonOf(text),
      },
    );
  }

  #unreachable(
    operation: AdminOperation,
    why: string,
    more: Pick<AdminFault, 'isPassing'> & { readonly cause?: unknown } = {},
  ): AdminError {
    const fault = { server: this.place, operation, ...more };
    return new AdminError('admin_unreachable', `${this.place}: ${why}`, fault);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    return Promise.resolve();
  }
}

interface TlsTrust {
  readonly ca: string[];
  readonly minVersion: 'TLSv1.2';
  readonly rejectUnauthorized: true;
}

function trustOf(ca: string | undefined): TlsTrust {
  return {
    ca: ca === undefined ? [...loadSystemTrust()] : [ca],
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
  };
}

const mediaTypes = {
  json: 'application/json',
  stream: 'text/event-stream',
  text: 'text/plain',
} as const;

function mediaTypeOf({ headers }: IncomingMessage): string | undefined {
  return headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
}

function sendingOf(operation: AdminOperation, { id, query = {}, ...rest }: Question): Sending {
  const route: AdminRoute = adminRoutes[operation];
  const path = route.path
    .split('/')
    .map((part) => (part.startsWith('{') ? encodeURIComponent(id ?? '') : part))
    .join('/');
  const search = new URLSearchParams(query).toString();
  return { ...rest, operation, route, path: search === '' ? path : `${path}?${search}` };
}

function isPassing(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && passingCodes.has(code);
}

async function textOf(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > defaultLimits.adminResponseBytesMax)
      throw new Error(`its response is longer than ${defaultLimits.adminResponseBytesMax} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `Promise.withResolvers`, which Node 20 does not have. */
function settling<T>(): {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
} {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((resolved, rejected) => {
    resolve = resolved;
    reject = rejected;
  });
  return { promise, resolve, reject };
}
