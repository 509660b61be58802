// The admin API as a command asks it: verified TLS, bounded in time and bytes, no redirects, and every response read by the schema of its operation.

import { Agent, request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { type AdminOperation, type AdminRoute, adminRoutes, type OutputOf } from '../../api/admin/routes.ts';
import { loadSystemTrust } from '../../net/system-trust.ts';
import { ProxyError } from '../../protocol/error.ts';
import { knownErrorCode } from '../../protocol/error-table.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { printable } from '../../protocol/printable.ts';
import type { Secret } from '../../protocol/secret.ts';
import { http } from '../../system/http-module.ts';

export interface ServerPlace {
  /** Origin of the admin port. */
  readonly server: URL;
  /** PEM; undefined: what this machine trusts. */
  readonly ca?: string | undefined;
  readonly token: Secret<string>;
}

interface Question {
  /** The segment in braces of the path. */
  readonly id?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
  /** Ends it before its time. */
  readonly signal?: AbortSignal;
}

interface Response {
  readonly status: number;
  readonly text: string;
}

interface Sending {
  readonly method: string;
  readonly path: string;
  readonly body: object | undefined;
  readonly signal: AbortSignal | undefined;
}

/** A connection that was kept from an earlier question broke before there was a response. */
class StaleConnection extends Error {
  constructor(cause: unknown) {
    super('the connection was closed', { cause });
  }
}

export class AdminConnection implements AsyncDisposable {
  readonly #place: ServerPlace;
  readonly #agent: Agent | InstanceType<typeof http.Agent>;

  constructor(place: ServerPlace) {
    this.#place = place;
    const kept = { keepAlive: true, maxSockets: 1 };
    this.#agent =
      place.server.protocol === 'https:'
        ? new Agent({
            ...kept,
            ca: place.ca === undefined ? [...loadSystemTrust()] : [place.ca],
            minVersion: 'TLSv1.2',
            rejectUnauthorized: true,
          })
        : new http.Agent(kept);
  }

  /** @throws ProxyError with the code and the sentence of the API's refusal; admin_unreachable */
  async ask<Operation extends AdminOperation>(
    operation: Operation,
    { id, query = {}, body, signal }: Question = {},
  ): Promise<OutputOf<Operation>> {
    const route: AdminRoute = adminRoutes[operation];
    const path = route.path
      .split('/')
      .map((part) => (part.startsWith('{') ? encodeURIComponent(id ?? '') : part))
      .join('/');
    const search = new URLSearchParams(query).toString();
    const asked = { method: route.method, path: search === '' ? path : `${path}?${search}`, body, signal };
    const { status, text } = await this.#send(asked);
    const json = jsonOf(text);
    if (status >= 300) throw this.#refusal(status, json);
    const read = route.output.safeParse(json);
    if (!read.success) throw this.#unreachable('what responds there is no admin API that this program knows');
    // It fits the schema of this operation; what a later version has beside that is kept.
    return json as OutputOf<Operation>;
  }

  async #send(asked: Sending): Promise<Response> {
    const { signal } = asked;
    const ended = AbortSignal.timeout(defaultLimits.adminResponseTimeoutMs);
    const timed = { ...asked, signal: signal === undefined ? ended : AbortSignal.any([ended, signal]) };
    try {
      return await this.#sendOnce(timed).catch(async (error: unknown) => {
        // The server may close a kept connection in the very moment of the next question, which it has then not seen.
        if (!(error instanceof StaleConnection) || asked.method !== 'GET') throw error;
        return await this.#sendOnce(timed);
      });
    } catch (error) {
      const cause = error instanceof StaleConnection ? error.cause : error;
      throw this.#unreachable(ended.aborted ? 'no response in time' : faultReason(cause), cause);
    }
  }

  async #sendOnce({ method, path, body, signal }: Sending): Promise<Response> {
    const { server, token } = this.#place;
    const text = body === undefined ? undefined : JSON.stringify(body);
    const options = {
      method,
      agent: this.#agent,
      signal,
      headers: {
        authorization: `Bearer ${token.reveal()}`,
        accept: 'application/json',
        ...(text === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
      },
    };
    const url = new URL(path, server);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const asked =
      url.protocol === 'https:' ? httpsRequest(url, options, resolve) : http.request(url, options, resolve);
    asked.on('error', (error) => reject(asked.reusedSocket ? new StaleConnection(error) : error));
    asked.end(text);
    const response = await promise;
    return { status: response.statusCode ?? 0, text: await textOf(response) };
  }

  #refusal(status: number, json: unknown): ProxyError {
    const { code, detail } = isObject(json) ? json : {};
    const known = knownErrorCode(code);
    if (known === undefined || typeof detail !== 'string')
      return this.#unreachable(`it responds with status ${status}`);
    return new ProxyError(known, printable(detail));
  }

  #unreachable(why: string, cause?: unknown): ProxyError {
    return new ProxyError('admin_unreachable', `${this.#place.server.origin}: ${why}`, { cause });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    return Promise.resolve();
  }
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

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
