// An origin that speaks HTTP/2, alone or beside HTTP/1.1, and says what it saw.

import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import type { Http2SecureServer, ServerHttp2Stream, Settings } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

import type { TestAuthority } from '../../support/test-authority.ts';
import { echoed } from './short-frames.ts';

export interface Http2Origin extends AsyncDisposable {
  readonly port: number;
  /** HTTP/2 connections that were ever opened. */
  readonly sessions: () => number;
  readonly seen: { readonly headers: Readonly<Record<string, unknown>>; readonly trailers: unknown }[];
}

/**
 * Paths: `/echo` the body back with trailers `grpc-status: 0` and `x-last: seen`; `/events` one event, the second when the
 * client's body ends; `/reset` a head and a reset; `/trailers-only` a head that is the end; anything else 200 with the path.
 * An extended CONNECT (RFC 8441) to `/ws` gets every frame back; to another path, 403.
 */
export async function http2Origin(
  authority: TestAuthority,
  only: boolean,
  settings: Settings = { enableConnectProtocol: true },
): Promise<Http2Origin> {
  const seen: Http2Origin['seen'] = [];
  const server: Http2SecureServer = createSecureServer({
    ...authority.issue('allowed.test'),
    allowHTTP1: !only,
    settings,
    ...(only ? { ALPNProtocols: ['h2'] } : {}),
  });
  server.on('stream', (stream, headers) => {
    const entry = { headers, trailers: undefined as unknown };
    seen.push(entry);
    stream.on('trailers', (trailers) => (entry.trailers = { ...trailers }));
    stream.on('error', () => undefined);
    // On a server every stream is a server's.
    const path =
      headers[':protocol'] === undefined ? String(headers[':path']) : `extended ${headers[':path']}`;
    void respond(stream as ServerHttp2Stream, path);
  });
  let sessions = 0;
  server.on('session', () => (sessions += 1));
  server.on('sessionError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    sessions: () => sessions,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.close();
    },
  };
}

async function respond(stream: ServerHttp2Stream, path: string): Promise<void> {
  switch (path) {
    case '/echo': {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'x-last': 'seen' }));
      stream.pipe(stream);
      return;
    }
    case '/events':
      stream.respond({ ':status': 200, 'content-type': 'text/event-stream' });
      stream.write('data: first\n\n');
      // A client that cancels ends the response.
      if ((await text(stream).catch(() => undefined)) === undefined) return;
      stream.end('data: second\n\n');
      return;
    case '/trailers-only':
      stream.respond({ ':status': 200, 'grpc-status': '9', 'grpc-message': 'not now' }, { endStream: true });
      return;
    case 'extended /ws':
      stream.respond({ ':status': 200 });
      stream.on('data', (frame: Buffer) => stream.write(echoed(frame)));
      stream.on('end', () => stream.end());
      return;
    case 'extended /no':
      stream.respond({ ':status': 403 });
      stream.end('no');
      return;
    case '/reset':
      stream.respond({ ':status': 200 });
      stream.write('part');
      setImmediate(() => stream.destroy(new Error('broken')));
      return;
    default:
      stream.respond({ ':status': 200, 'content-type': 'text/plain' });
      stream.end(path);
  }
}
