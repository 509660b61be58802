// How a connection is broken off, so that the other side sees that something is missing.

import type { Socket } from 'node:net';

/** By the connection below: TLS that writes to its handle, which the connection knows nothing of. */
const tlsAbove = new WeakMap<Socket, Socket>();

/** From here on the end that `tls` sends counts as the end of the connection below it. */
export function endsWithTls(socket: Socket, tls: Socket): void {
  tlsAbove.set(socket, tls);
}

/**
 * Resets the connection. One whose end is on its way already is closed behind that: while the kernel is told of an end the runtime cannot reset a
 * socket, says EINVAL, keeps its descriptor for good, and waits for it without end when the program is over.
 */
export function resetSocket(socket: Socket): void {
  const tls = tlsAbove.get(socket);
  if (isEnding(socket) || (tls !== undefined && isEnding(tls))) socket.destroy();
  else socket.resetAndDestroy();
}

function isEnding({ writableEnded, writableFinished, writableLength }: Socket): boolean {
  return writableEnded && !writableFinished && writableLength === 0;
}
