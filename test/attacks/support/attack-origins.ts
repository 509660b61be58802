// The origins of the cases: TLS and cleartext by node:http, and one that responds to raw bytes. All keep one log.

import { once } from 'node:events';
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTls } from 'node:tls';

import type { TestAuthority } from '../../support/test-authority.ts';
import { allowedAddress } from './sentry.ts';

/** One request as an origin saw it. */
export interface SeenByOrigin {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly rawHeaders: readonly string[];
  readonly connection: number;
  bodyBytes: number;
  body: string;
  rawTrailers: readonly string[];
}

export interface AttackOrigins extends AsyncDisposable {
  readonly tlsPort: number;
  readonly plainPort: number;
  readonly rawPort: number;
  readonly seen: readonly SeenByOrigin[];
  /** What an origin's own parser refused: the gateway forwarded something that is not HTTP. */
  readonly faults: readonly string[];
  /** Connections to any origin. */
  connections(): number;
  /** Replaces the usual response, which is 200 and `hello`. */
  respond: (request: IncomingMessage, response: ServerResponse) => void;
  /** Responds to the raw origin's requests; gets the socket when the head is complete. */
  respondRaw: (socket: Duplex, entry: SeenByOrigin) => void;
  /** Serves a WebSocket upgrade; the default refuses. */
  upgrade: (request: IncomingMessage, socket: Duplex) => void;
}

function usualResponse(request: IncomingMessage, response: ServerResponse): void {
  const secret = request.headers.authorization ?? 'none';
  const reflects = request.url?.startsWith('/reflect') === true;
  if (reflects) response.setHeader('x-reflected', secret);
  response.end(reflects ? `you sent ${secret}\n` : 'hello\n');
}

function hostOf(host: string | undefined): string {
  return (host ?? '').replace(/:\d+$/, '');
}

/** Starts all three on free ports of the allowed address. */
export async function startAttackOrigins(authority: TestAuthority): Promise<AttackOrigins> {
  const seen: SeenByOrigin[] = [];
  const faults: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const numbers = new WeakMap<object, number>();
  const origins: Pick<AttackOrigins, 'respond' | 'respondRaw' | 'upgrade'> = {
    respond: usualResponse,
    respondRaw: (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
    upgrade: (_request, socket) => socket.end('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n'),
  };
  const note = (request: IncomingMessage): SeenByOrigin => {
    const entry: SeenByOrigin = {
      method: request.method ?? '',
      host: hostOf(request.headers.host),
      path: request.url ?? '',
      rawHeaders: request.rawHeaders,
      connection: numbers.get(request.socket) ?? 0,
      bodyBytes: 0,
      body: '',
      rawTrailers: [],
    };
    seen.push(entry);
    return entry;
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const entry = note(request);
    request.on('error', () => undefined);
    request.on('data', (chunk: Buffer) => {
      entry.bodyBytes += chunk.length;
      if (entry.body.length < 10_000) entry.body += chunk.toString('latin1');
    });
    // The neighbour is served by the same origin, and never attacked by it.
    const respond = entry.host === 'probe.test' ? usualResponse : origins.respond;
    request.on('end', () => {
      entry.rawTrailers = request.rawTrailers;
      respond(request, response);
    });
  };
  const tls = {
    ...authority.issue('allowed.test'),
    SNICallback: (name: string, done: (error: null, context: ReturnType<TestAuthority['context']>) => void) =>
      done(null, authority.context(name)),
  };
  const secure = createHttps({ ...tls, maxHeaderSize: 1024 * 1024 }, onRequest);
  const plain = createHttp({ maxHeaderSize: 1024 * 1024 }, onRequest);
  for (const server of [secure, plain]) {
    server.on('upgrade', (request, socket) => {
      socket.on('error', () => undefined);
      note(request);
      origins.upgrade(request, socket);
    });
    server.on('clientError', (error: Error & { code?: string }, socket) => {
      // A message that the gateway breaks off is no message: only what looked complete counts.
      if (!['ECONNRESET', 'EPIPE', 'HPE_INVALID_EOF_STATE'].includes(error.code ?? ''))
        faults.push(`${error.code}: ${error.message}`);
      socket.destroy();
    });
  }
  let number = 0;
  secure.on('secureConnection', (socket) => numbers.set(socket, (number += 1)));
  plain.on('connection', (socket) => numbers.set(socket, (number += 1)));
  const raw = createTls(tls, (socket) => {
    let bytes = '';
    socket.on('error', () => undefined);
    socket.on('data', function onData(chunk: Buffer) {
      bytes += chunk.toString('latin1');
      const end = bytes.indexOf('\r\n\r\n');
      if (end === -1) return;
      const [line = '', ...fields] = bytes.slice(0, end).split('\r\n');
      const [method = '', path = ''] = line.split(' ');
      const rawHeaders = fields.flatMap((field) => {
        const colon = field.indexOf(':');
        return [field.slice(0, colon), field.slice(colon + 1).trim()];
      });
      const host = rawHeaders[rawHeaders.findIndex((name) => name.toLowerCase() === 'host') + 1];
      const entry = {
        method,
        path,
        host: hostOf(host),
        rawHeaders,
        connection: connections,
        bodyBytes: 0,
        body: '',
        rawTrailers: [],
      };
      seen.push(entry);
      socket.off('data', onData).resume();
      origins.respondRaw(socket, entry);
    });
  });
  const servers: readonly Server[] = [secure, plain, raw];
  for (const server of servers) {
    server.on('connection', (socket: Socket) => {
      connections += 1;
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket)).on('error', () => undefined);
    });
    server.listen(0, allowedAddress);
    await once(server, 'listening');
  }
  // All of them listen on an address and a port.
  const [tlsPort = 0, plainPort = 0, rawPort = 0] = servers.map((one) => (one.address() as AddressInfo).port);
  return Object.assign(origins, {
    tlsPort,
    plainPort,
    rawPort,
    seen,
    faults,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      for (const server of servers) server.close();
      for (const socket of sockets) socket.destroy();
    },
  });
}
