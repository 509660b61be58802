// An origin over TLS that writes what a test wants, byte for byte.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';

import type { TestAuthority } from '../../support/test-authority.ts';

export interface RawOrigin extends AsyncDisposable {
  readonly port: number;
  readonly sockets: ReadonlySet<TLSSocket>;
  /** What came on each connection so far. */
  readonly seen: readonly string[];
}

/** `response` is called once for each connection, with the first head on it and what came with it. */
export async function rawOrigin(
  authority: TestAuthority,
  respond: (socket: TLSSocket, text: string) => void,
): Promise<RawOrigin> {
  const sockets = new Set<TLSSocket>();
  const seen: string[] = [];
  const identity = { ...authority.issue('allowed.test'), ALPNProtocols: ['http/1.1'] };
  const server = createServer(identity, (socket) => {
    const index = seen.push('') - 1;
    sockets.add(socket);
    let hasResponded = false;
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      seen[index] += chunk.toString('latin1');
      if (hasResponded || seen[index]?.includes('\r\n\r\n') !== true) return;
      hasResponded = true;
      respond(socket, seen[index]);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // It listens on an address and a port.
    port: (server.address() as AddressInfo).port,
    sockets,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
