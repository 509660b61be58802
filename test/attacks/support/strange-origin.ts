// An origin whose certificate nobody vouches for, or whatever else is wrong with it; it counts what it gets all the same.

import { once } from 'node:events';
import { createServer, type TlsOptions, type TLSSocket } from 'node:tls';
import type { AddressInfo } from 'node:net';

import { createTestAuthority } from '../../support/test-authority.ts';
import { allowedAddress } from './sentry.ts';

export interface StrangeOrigin extends AsyncDisposable {
  readonly port: number;
  /** Connections that came. */
  readonly handshakes: () => number;
  /** Bytes of requests that came, decrypted. */
  readonly bytes: () => number;
}

/** Listens at the port; by default with a certificate of an authority of its own. */
export async function strangeOrigin(port = 0, identity?: TlsOptions): Promise<StrangeOrigin> {
  let handshakes = 0;
  let bytes = 0;
  const sockets = new Set<TLSSocket>();
  const server = createServer(identity ?? createTestAuthority().issue('api.allowed.test'), (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
  });
  server.on('connection', () => (handshakes += 1)).on('tlsClientError', () => undefined);
  server.listen(port, allowedAddress);
  await once(server, 'listening');
  return {
    // It listens on an address and a port.
    port: (server.address() as AddressInfo).port,
    handshakes: () => handshakes,
    bytes: () => bytes,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
