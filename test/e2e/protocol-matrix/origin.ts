// The origins of the matrix: one that speaks HTTP/1.1 alone and one that speaks HTTP/2 alone, with the same paths.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createSecureServer } from 'node:http2';
import type { Http2ServerRequest } from 'node:http2';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';

import { type WebSocket, WebSocketServer } from 'ws';

import type { TestAuthority } from '../../support/test-authority.ts';
import { serverWebSocket } from './websocket-over-stream.ts';

export type HttpVersion = 'h1' | 'h2';

export interface SeenByOrigin {
  readonly httpVersion: string;
  readonly method: string;
  readonly trailers: Readonly<Record<string, string | undefined>>;
}

export interface MatrixOrigin extends AsyncDisposable {
  readonly port: number;
  /** What came to a path with the query `?id`, once its body ended; undefined if it never came. */
  seen(id: string): SeenByOrigin | undefined;
}

export const eventCount = 10;
const rangeText = '0123456789abcdefghijklmnopqrstuvwxyz';

/** Milliseconds since 1970 with fractions, comparable between the processes of one machine. */
export function preciseNowMs(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * Paths: `/sink` says length and hash of the body; `/echo` sends it back; `/events` sends its own time ten times,
 * each once `/heard` says that the client has the one before;
 * `/trailers` reads the body and responds with trailers `x-sum` and `x-seen`; `/range` has 36 bytes; `/hints` sends a 103
 * first; `/ws` is a WebSocket that sends back what it gets.
 */
export async function startMatrixOrigin(
  version: HttpVersion,
  authority: TestAuthority,
): Promise<MatrixOrigin> {
  const seen = new Map<string, SeenByOrigin>();
  const waiting = new Map<string, () => void>();
  const listener: RequestListener = (request, response) => {
    void respond(request, response, { seen, waiting }).catch(() => response.destroy());
  };
  const identity = authority.issue(`${version}.test`);
  const server =
    version === 'h1' ? http1Server(identity, listener, seen) : http2Server(identity, listener, seen);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // Listening on an address and a port, not on a path.
    port: (server.address() as AddressInfo).port,
    seen: (id) => seen.get(id),
    [Symbol.asyncDispose]: async () => {
      server.close();
    },
  };
}

interface Identity {
  readonly cert: string;
  readonly key: string;
}

function http1Server(
  identity: Identity,
  listener: RequestListener,
  seen: Map<string, SeenByOrigin>,
): ReturnType<typeof createServer> {
  const server = createServer(identity, listener);
  const webSockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    note(request, seen);
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      echo(webSocket);
    });
  });
  return server;
}

function http2Server(
  identity: Identity,
  listener: RequestListener,
  seen: Map<string, SeenByOrigin>,
): ReturnType<typeof createSecureServer> {
  const server = createSecureServer({
    ...identity,
    ALPNProtocols: ['h2'],
    settings: { enableConnectProtocol: true },
  });
  // node:http2's compatibility layer has the same methods as node:http, as far as they are used here.
  server.on('request', listener as unknown as (request: Http2ServerRequest) => void);
  server.on('connect', (request: Http2ServerRequest) => {
    seen.set(idOf(request.url), { httpVersion: request.httpVersion, method: request.method, trailers: {} });
    request.stream.respond({ ':status': 200 });
    echo(serverWebSocket(request.stream));
  });
  server.on('sessionError', () => undefined);
  return server;
}

/** A client that breaks off is no fault of the origin. */
function echo(webSocket: WebSocket): void {
  webSocket.on('error', () => webSocket.terminate());
  webSocket.on('message', (data, isBinary) => webSocket.send(data, { binary: isBinary }));
}

function idOf(url: string | undefined): string {
  return url?.split('?')[1] ?? '';
}

function note(request: IncomingMessage, seen: Map<string, SeenByOrigin>): void {
  const { httpVersion, method = '', trailers } = request;
  seen.set(idOf(request.url), { httpVersion, method, trailers: { ...trailers } });
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  { seen, waiting }: { readonly seen: Map<string, SeenByOrigin>; readonly waiting: Map<string, () => void> },
): Promise<void> {
  const [path] = (request.url ?? '').split('?');
  if (path === '/heard') {
    waiting.get(idOf(request.url))?.();
    response.end();
    return;
  }
  if (path === '/echo') {
    response.writeHead(200, { 'content-type': 'application/octet-stream' });
    request.pipe(response);
    request.once('end', () => note(request, seen));
    return;
  }
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of request) {
    // No encoding is set, so chunks are bytes.
    bytes += (chunk as Buffer).length;
    hash.update(chunk as Buffer);
  }
  note(request, seen);
  const sha256 = hash.digest('hex');
  switch (path) {
    case '/events':
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (let i = 0; i < eventCount; i++) {
        const { promise, resolve } = Promise.withResolvers<void>();
        waiting.set(idOf(request.url), resolve);
        response.write(`data: ${preciseNowMs()}\n\n`);
        await promise;
      }
      response.end();
      return;
    case '/trailers':
      response.writeHead(200, { 'content-type': 'text/plain', trailer: 'x-sum, x-seen' });
      response.write('body\n');
      response.addTrailers({ 'x-sum': sha256, 'x-seen': request.trailers['x-amz-checksum-crc32'] ?? 'none' });
      response.end();
      return;
    case '/range':
      respondWithRange(request, response);
      return;
    case '/hints':
      response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
      response.end('hinted\n');
      return;
    default:
      response.setHeader('content-type', 'application/json');
      response.end(`${JSON.stringify({ method: request.method, bytes, sha256 })}\n`);
  }
}

function respondWithRange(request: IncomingMessage, response: ServerResponse): void {
  const [, first, last] = /^bytes=([0-9]+)-([0-9]+)$/.exec(request.headers.range ?? '') ?? [];
  if (first === undefined || last === undefined) {
    response.setHeader('content-length', rangeText.length);
    response.end(rangeText);
    return;
  }
  response.statusCode = 206;
  response.setHeader('content-range', `bytes ${first}-${last}/${rangeText.length}`);
  response.end(rangeText.slice(Number(first), Number(last) + 1));
}
