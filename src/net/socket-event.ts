// A wait for one event of a socket, which its end breaks off.

import type { Socket } from 'node:net';

type SocketEvent = 'connect' | 'readable' | 'secureConnect';

export async function happens(socket: Socket, event: SocketEvent): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const failed = (error: Error): void => reject(error);
  const closed = (): void => reject(new Error('the connection was closed'));
  socket.once(event, resolve).once('error', failed).once('end', closed).once('close', closed);
  if (socket.destroyed) closed();
  try {
    await promise;
  } finally {
    socket.off(event, resolve).off('error', failed).off('end', closed).off('close', closed);
  }
}
