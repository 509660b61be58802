// `fetch` by way of the relay, for the program that opened it: Node's own takes no proxy and no certificates for one call. Nothing of ours
// travels here, only what the caller asks for.

import { readFileSync } from 'node:fs';
import { type IncomingMessage, Agent as HttpAgent, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { pipeline, Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';

export interface CallerFetchOptions {
  /** Of the relay on 127.0.0.1. */
  readonly port: number;
  /** What goes around it, as in the variable NO_PROXY. */
  readonly noProxy: string;
  /** PEM; read with each call, as the gateway's authority may change. */
  readonly bundlePath: string;
}

/** RFC 9110 §15.4, and no more of them in a row than browsers follow (Fetch standard §4.4). */
const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const redirectsMax = 20;
/** Responses of these statuses have no body (Fetch standard §2.2.6). */
const bodilessStatuses: ReadonlySet<number> = new Set([204, 205, 304]);

/** Streams bodies both ways. Rejects as `fetch` does: TypeError with a cause, or the reason of the signal. */
export async function fetchThroughRelay(
  options: CallerFetchOptions,
  input: string | URL | Request,
  init?: RequestInit,
): Promise<Response> {
  const proxy = `http://127.0.0.1:${options.port}`;
  const ca = readFileSync(options.bundlePath, 'utf8');
  // Said here, for by default the runtime does as NODE_TLS_REJECT_UNAUTHORIZED of this moment says.
  const tls = { ca, rejectUnauthorized: true };
  if (process.versions['bun'] !== undefined) {
    // Bun's own members of `init`, which its types alone know.
    const own = { ...init, proxy, tls } as RequestInit;
    return await fetch(input, own);
  }
  const request = new Request(input, init);
  const isStream = input instanceof Request || init?.body instanceof ReadableStream;
  const body =
    request.body === null ? undefined : isStream ? request.body : new Uint8Array(await request.arrayBuffer());
  const proxyEnv = { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, NO_PROXY: options.noProxy };
  const agents = { 'http:': new HttpAgent({ proxyEnv }), 'https:': new HttpsAgent({ proxyEnv, ...tls }) };
  return await follow({ request, agents }, { url: new URL(request.url), method: request.method, body });
}

interface Call {
  readonly request: Request;
  readonly agents: { readonly 'http:': HttpAgent; readonly 'https:': HttpsAgent };
}

/** One request of those that a redirect leads to. */
interface Hop {
  readonly url: URL;
  readonly method: string;
  readonly body: ReadableStream | Uint8Array | undefined;
}

async function follow(call: Call, first: Hop): Promise<Response> {
  const { redirect } = call.request;
  const headers = headersOf(call.request, first.body);
  let hop = first;
  for (let count = 0; ; count++) {
    const message = await exchange(call, hop, headers);
    const { statusCode: status = 0 } = message;
    const { location } = message.headers;
    if (!redirectStatuses.has(status) || location === undefined || redirect === 'manual')
      return responseOf(message, hop, count > 0);
    message.destroy();
    if (redirect === 'error') throw failed('it was redirected, and redirect is "error"');
    if (count === redirectsMax) throw failed(`it was redirected more than ${redirectsMax} times`);
    hop = redirected(hop, status, location, headers);
  }
}

function headersOf(request: Request, body: Hop['body']): Headers {
  const headers = new Headers(request.headers);
  const defaults = { accept: '*/*', 'accept-encoding': 'gzip, deflate, br', 'user-agent': 'node' };
  for (const [name, value] of Object.entries(defaults)) if (!headers.has(name)) headers.set(name, value);
  if (body instanceof Uint8Array) headers.set('content-length', String(body.length));
  return headers;
}

/** Changes the headers to those of the next request (Fetch standard §4.4). */
function redirected(hop: Hop, status: number, location: string, headers: Headers): Hop {
  const url = URL.parse(location, hop.url);
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    throw failed('it was redirected to no web address');
  if (url.origin !== hop.url.origin)
    for (const name of ['authorization', 'proxy-authorization', 'cookie', 'host']) headers.delete(name);
  const becomesGet =
    (status === 303 && hop.method !== 'GET' && hop.method !== 'HEAD') ||
    ((status === 301 || status === 302) && hop.method === 'POST');
  if (!becomesGet) {
    if (hop.body instanceof ReadableStream)
      throw failed('it was redirected, and a body that is a stream is gone');
    return { ...hop, url };
  }
  for (const name of [
    'content-length',
    'content-type',
    'content-encoding',
    'content-language',
    'content-location',
  ])
    headers.delete(name);
  return { url, method: 'GET', body: undefined };
}

async function exchange({ request, agents }: Call, hop: Hop, headers: Headers): Promise<IncomingMessage> {
  const { url, method, body } = hop;
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw failed(`there is no way to ${url.protocol}`);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  const { signal } = request;
  signal.throwIfAborted();
  const options = { method, headers: Object.fromEntries(headers), agent: agents[url.protocol], signal };
  const outgoing = send(url, options);
  outgoing.once('response', resolve);
  // Beyond the response it is the body that fails.
  outgoing.on('error', (error) => reject(signal.aborted ? signal.reason : failed(error.message, error)));
  if (body instanceof ReadableStream) {
    // The two kinds of stream are one at run time; their types come from different libraries.
    const source = Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]);
    pipeline(source, outgoing, (error) => error && reject(failed(error.message, error)));
  } else outgoing.end(body);
  return await promise;
}

function responseOf(message: IncomingMessage, { url, method }: Hop, redirected: boolean): Response {
  const { statusCode: status = 0, statusMessage: statusText = '' } = message;
  const headers = new Headers();
  for (let at = 0; at + 1 < message.rawHeaders.length; at += 2)
    headers.append(message.rawHeaders[at] ?? '', message.rawHeaders[at + 1] ?? '');
  const hasBody = method !== 'HEAD' && !bodilessStatuses.has(status);
  if (!hasBody) message.resume();
  const body = hasBody ? Readable.toWeb(decoded(message, headers.get('content-encoding'))) : null;
  // As above, of types.
  const response = new Response(body as ConstructorParameters<typeof Response>[0], {
    status,
    statusText,
    headers,
  });
  Object.defineProperty(response, 'url', { value: url.href });
  Object.defineProperty(response, 'redirected', { value: redirected });
  return response;
}

/** In reverse of the order in which they were applied. A coding that is not known stays. */
function decoded(message: IncomingMessage, codings: string | null): Readable {
  let stream: Readable = message;
  const names = (codings ?? '').toLowerCase().split(',');
  for (const name of names.map((coding) => coding.trim()).toReversed()) {
    const decoder = decoderOf(name);
    if (decoder === undefined) return stream;
    pipeline(stream, decoder, () => undefined);
    stream = decoder;
  }
  return stream;
}

function decoderOf(coding: string): Transform | undefined {
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip();
    case 'deflate':
      return createInflate();
    case 'br':
      return createBrotliDecompress();
    default:
      return undefined;
  }
}

function failed(reason: string, cause?: unknown): TypeError {
  return new TypeError(`fetch failed: ${reason}`, { cause });
}
