// Entries of the catalogue are for the usual port alone: a server of a test stands behind port 443 of a loopback address.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** Connections to that address at 443 go to the port of 127.0.0.1. Needs the right to listen there. */
export async function at443(address: string, port: number): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const origin = connect(port, '127.0.0.1');
    for (const socket of [client, origin]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      socket.on('error', () => {
        client.destroy();
        origin.destroy();
      });
    }
    client.pipe(origin).pipe(client);
  });
  server.listen(443, address);
  await once(server, 'listening');
  return {
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
