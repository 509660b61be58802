// The end of a server of HTTP, with all that is connected to it.

import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Those that were upgraded too, and those that are still in their TLS handshake: of neither does the server itself know. */
export function socketsOf(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}

/** Nobody is waited for. Ends too where the server never listened, or was closed before. */
export async function closeServer(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const socket of sockets) socket.destroy();
  await closed;
}
