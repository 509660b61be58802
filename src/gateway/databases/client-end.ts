// The end of a client's connection, and what ends with it.

import type { Duplex } from 'node:stream';
import type { EndedConnection } from './protocol-end.ts';

/** Its end is sent; a client that does not end then is cut off. @param socket the client's, inside of TLS if it asked for that */
export function closeClient(
  socket: Duplex,
  { client, startDeadline, limits }: Pick<EndedConnection, 'client' | 'startDeadline' | 'limits'>,
): void {
  socket.on('error', () => undefined);
  if (socket.destroyed || client.destroyed) {
    socket.destroy();
    return;
  }
  const deadline = startDeadline(limits.databaseLoginTimeoutMs, () => {
    socket.destroy();
  });
  const over = (): void => {
    deadline.clear();
    socket.destroy();
  };
  // TLS does not always close when the stream below it does.
  for (const one of new Set([socket, client])) one.once('close', over);
  socket.end();
  socket.resume();
}

/** Until it is let go. Nobody waits for a log-in whose client has left, and nobody would count it. */
export function endsWithClient(socket: Duplex, { client }: Pick<EndedConnection, 'client'>): Disposable {
  const leave = (): void => void socket.destroy();
  client.once('close', leave);
  if (client.destroyed) leave();
  return { [Symbol.dispose]: () => void client.off('close', leave) };
}
