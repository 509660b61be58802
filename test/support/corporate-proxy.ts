// A CONNECT proxy as companies have it: TLS to itself, Basic credentials, every name on loopback, and a log.

import { once } from 'node:events';
import { createServer } from 'node:https';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

import type { TestAuthority } from './test-authority.ts';

export interface CorporateProxy extends AsyncDisposable {
  readonly port: number;
  /** The targets of CONNECT, in order. */
  readonly targets: readonly string[];
}

/** `refused` are hosts that get 403; without the credentials it is 407, for a port where nobody listens 502. */
export async function corporateProxy(
  authority: TestAuthority,
  credentials: string,
  refused: readonly string[] = [],
): Promise<CorporateProxy> {
  const expected = `Basic ${Buffer.from(credentials).toString('base64')}`;
  const targets: string[] = [];
  const sockets = new Set<Duplex>();
  const server = createServer(authority.issue('127.0.0.1'));
  server.on('connect', (request, socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    const target = request.url ?? '';
    const deny = (line: string): void => void socket.end(`HTTP/1.1 ${line}\r\nContent-Length: 0\r\n\r\n`);
    targets.push(target);
    const [host = '', port = ''] = target.split(':');
    if (request.headers['proxy-authorization'] !== expected) return deny('407 Proxy Authentication Required');
    if (refused.includes(host)) return deny('403 Forbidden');
    const origin = connect(Number(port), '127.0.0.1');
    sockets.add(origin);
    origin.once('connect', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(origin).pipe(socket);
    });
    origin.on('error', () => deny('502 Bad Gateway'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    targets,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
