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
    { id, query = {}, body }: Question = {},
  ): Promise<OutputOf<Operation>> {
    const route: AdminRoute = adminRoutes[operation];
    const path = route.path
      .split('/')
      .map((part) => (part.startsWith('{') ? encodeURIComponent(id ?? '') : part))
      .join('/');
    const search = new URLSearchParams(query).toString();
    const { status, text } = await this.#send(route.method, search === '' ? path : `${path}?${search}`, body);
    const json = jsonOf(text);
    if (status >= 300) throw this.#refusal(status, json);
    const read = route.output.safeParse(json);
    if (!read.success) throw this.#unreachable('what responds there is no admin API that this program knows');
    // Read by the schema of this operation.
    return read.data as OutputOf<Operation>;
  }

  async #send(
    method: string,
    path: string,
    body: object | undefined,
  ): Promise<{ readonly status: number; readonly text: string }> {
    const { server, token } = this.#place;
    const text = body === undefined ? undefined : JSON.stringify(body);
    const options = {
      method,
      agent: this.#agent,
      signal: AbortSignal.timeout(defaultLimits.adminResponseTimeoutMs),
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
    asked.on('error', reject);
    asked.end(text);
    try {
      const response = await promise;
      return { status: response.statusCode ?? 0, text: await textOf(response) };
    } catch (error) {
      if (error instanceof ProxyError) throw error;
      throw this.#unreachable(options.signal.aborted ? 'no response in time' : faultReason(error), error);
    }
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
