// A service on the loopback of outside that the command of a network of its own was given by name.

import { connect, type Socket } from 'node:net';
import { resetSocket } from '../../net/reset-socket.ts';

/** Joins an accepted connection with the service; what ends or breaks on one side does on the other. */
export function joinLocalService(inside: Socket, port: number): void {
  const outside = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true });
  inside.on('error', () => {});
  // Nobody listens there: the nearest to a refused connection that one which was accepted can get.
  outside.on('error', () => resetSocket(inside));
  inside.once('close', () => outside.destroy());
  outside.once('close', () => inside.destroy());
  inside.pipe(outside);
  outside.pipe(inside);
}
