// A balancer of layer 4 as the simplest are: each connection goes to the next of its servers, to another one where nobody listens. It looks at
// no health, so one that is about to end gets its turn as well.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

import { resetSocket } from '../../src/net/reset-socket.ts';

export interface TurningBalancer extends AsyncDisposable {
  readonly port: number;
  /** Ports on loopback. */
  servers: readonly number[];
  /** Breaks all that goes through, and lets nobody through until it is opened again. */
  close(): void;
  open(): void;
}

export async function turningBalancer(): Promise<TurningBalancer> {
  const sockets = new Set<Socket>();
  let turn = 0;
  let isClosed = false;
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
  };
  const lead = (front: Socket, left: number): void => {
    turn += 1;
    const far = keep(connect(balancer.servers[turn % balancer.servers.length] ?? 0, '127.0.0.1'));
    far.once('error', () => {
      if (far.bytesRead > 0 || left <= 1) resetSocket(front);
      else lead(front, left - 1);
    });
    far.once('connect', () => {
      front.pipe(far).pipe(front);
      front.once('close', () => far.destroy());
      far.once('close', () => front.destroy());
    });
  };
  const server = createServer((front) => {
    keep(front);
    if (isClosed) resetSocket(front);
    else lead(front, balancer.servers.length);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const balancer: TurningBalancer = {
    // A server that listens on a port has an AddressInfo.
    port: (server.address() as AddressInfo).port,
    servers: [],
    close: () => {
      isClosed = true;
      for (const socket of sockets) resetSocket(socket);
    },
    open: () => {
      isClosed = false;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  return balancer;
}
