// An origin server for tests: HTTP/1.1, cleartext or TLS, that keeps a log of what it saw.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';

import { patternStream } from './pattern-bytes.ts';
import type { TestAuthority } from './test-authority.ts';

/** What the origin saw of one request, complete once the body has ended. */
export interface SeenRequest {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
  readonly rawHeaders: readonly string[];
  readonly headers: http.IncomingHttpHeaders;
  readonly servername: string | undefined;
  bodyBytes: number;
  bodySha256: string | undefined;
}

export interface Origin extends AsyncDisposable {
  readonly port: number;
  readonly scheme: 'http' | 'https';
  readonly requests: readonly SeenRequest[];
  /** Connections that were ever accepted. */
  readonly connections: () => number;
  /** URL of a path for a host name that resolves here. */
  url(host: string, path?: string): string;
  close(): Promise<void>;
}

export interface OriginOptions {
  /** Called instead of the built-in paths. */
  readonly handler?: RequestListener;
  /** `/auth` responds with 200 only if `Authorization` has this value. */
  readonly expectedAuthorization?: string;
  /** Called for each `?held`. */
  readonly hold?: () => Promise<unknown>;
  /** Address to listen on; default 127.0.0.1. */
  readonly address?: string;
  /** Default: a free one. */
  readonly port?: number;
}

export interface HttpsOriginOptions extends OriginOptions {
  readonly authority: TestAuthority;
  /** Name of the certificate for clients that send no SNI; default is its address. */
  readonly defaultHost?: string;
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = `${JSON.stringify(value)}\n`;
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

/**
 * The built-in paths: `/hello`; `/echo` and `/sink` (JSON of what arrived; with `?held` the body is left unread
 * until `hold` resolves); `/bytes/N` (N bytes of a pattern, 1 or `?seed=`); `/status/N`; `/auth` (see `expectedAuthorization`); `/reflect` (the `Authorization` field
 * as header and body); `/cut` (announces 1000 bytes, sends 10, breaks off). Anything else is 404.
 */
async function builtInPaths(
  request: IncomingMessage,
  response: ServerResponse,
  body: Promise<{ readonly bytes: number; readonly sha256: string }>,
  expectedAuthorization: string | undefined,
): Promise<void> {
  const target = request.url ?? '/';
  const [path = '/', query] = target.split('?');
  const parameters = new URLSearchParams(query);
  const [, first, argument] = path.split('/');
  const authorization = request.headers.authorization;
  switch (first) {
    case 'hello':
      response.writeHead(200, { 'content-type': 'text/plain' });
      response.end('hello\n');
      return;
    case 'echo':
    case 'sink': {
      const { bytes, sha256 } = await body;
      sendJson(response, 200, { method: request.method, target, headers: request.headers, bytes, sha256 });
      return;
    }
    case 'bytes': {
      const bytes = Number(argument);
      response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': bytes });
      await pipeline(patternStream(bytes, Number(parameters.get('seed') ?? 1)), response);
      return;
    }
    case 'status':
      sendJson(response, Number(argument), { status: Number(argument) });
      return;
    case 'auth': {
      const authorized = expectedAuthorization !== undefined && authorization === expectedAuthorization;
      sendJson(response, authorized ? 200 : 401, { authorized });
      return;
    }
    case 'reflect':
      response.writeHead(200, { 'content-type': 'text/plain', 'x-reflected': authorization ?? 'none' });
      response.end(`you sent ${authorization ?? 'none'}\n`);
      return;
    case 'cut':
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': 1000 });
      response.write('0123456789', () => request.socket.destroy());
      return;
    default:
      sendJson(response, 404, { error: 'no such path', target });
  }
}

function recordRequest(
  request: IncomingMessage,
  seen: SeenRequest[],
  hold: OriginOptions['hold'],
): Promise<{ bytes: number; sha256: string }> {
  // `servername` is set on TLS sockets only.
  const { servername } = request.socket as Socket & { servername?: string | false };
  const record: SeenRequest = {
    method: request.method ?? '',
    target: request.url ?? '',
    httpVersion: request.httpVersion,
    rawHeaders: request.rawHeaders,
    headers: request.headers,
    servername: servername === false ? undefined : servername,
    bodyBytes: 0,
    bodySha256: undefined,
  };
  seen.push(record);
  const hash = createHash('sha256');
  const { promise, resolve, reject } = Promise.withResolvers<{ bytes: number; sha256: string }>();
  // A request that is cut before its end has no hash; who waits for it gets the error.
  promise.catch(() => undefined);
  request.on('data', (chunk: Buffer) => {
    record.bodyBytes += chunk.length;
    hash.update(chunk);
  });
  if (hold !== undefined && record.target.endsWith('?held')) {
    request.pause();
    void hold().then(() => request.resume());
  }
  request.on('end', () => {
    record.bodySha256 = hash.digest('hex');
    resolve({ bytes: record.bodyBytes, sha256: record.bodySha256 });
  });
  request.on('error', reject);
  return promise;
}

async function listen(
  server: http.Server,
  scheme: 'http' | 'https',
  seen: SeenRequest[],
  { address = '127.0.0.1', port: wanted = 0 }: OriginOptions,
): Promise<Origin> {
  let connections = 0;
  server.on('connection', () => (connections += 1));
  server.listen(wanted, address);
  await once(server, 'listening');
  // Listening on an address and a port, not on a path.
  const { port } = server.address() as AddressInfo;
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
    return closed;
  };
  return {
    port,
    scheme,
    requests: seen,
    connections: () => connections,
    url: (host, path = '/') => `${scheme}://${host}:${port}${path}`,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function requestListener(options: OriginOptions, seen: SeenRequest[]): RequestListener {
  return (request, response) => {
    if (options.handler !== undefined) {
      void recordRequest(request, seen, options.hold);
      options.handler(request, response);
      return;
    }
    const body = recordRequest(request, seen, options.hold);
    builtInPaths(request, response, body, options.expectedAuthorization).catch(() => response.destroy());
  };
}

/** Starts a cleartext origin on a free port. */
export async function httpOrigin(options: OriginOptions = {}): Promise<Origin> {
  const seen: SeenRequest[] = [];
  const server = http.createServer(requestListener(options, seen));
  return await listen(server, 'http', seen, options);
}

/** Starts a TLS origin on a free port; it has a certificate of `authority` for whatever name is asked for. */
export async function httpsOrigin(options: HttpsOriginOptions): Promise<Origin> {
  const seen: SeenRequest[] = [];
  const server = https.createServer(
    {
      ...options.authority.issue(options.defaultHost ?? options.address ?? '127.0.0.1'),
      SNICallback: (servername, done) => done(null, options.authority.context(servername)),
    },
    requestListener(options, seen),
  );
  return await listen(server, 'https', seen, options);
}
