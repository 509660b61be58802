// How a connection is broken off, so that the other side sees that something is missing.

import type { Socket } from 'node:net';

/**
 * Resets the connection. One whose end is on its way already is closed behind that: while the kernel is told of an end the runtime cannot reset a
 * socket, says EINVAL, and keeps its descriptor for good.
 */
export function resetSocket(socket: Socket): void {
  const isEnding = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0;
  if (isEnding) socket.destroy();
  else socket.resetAndDestroy();
}
