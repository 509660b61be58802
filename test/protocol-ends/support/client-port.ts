// A port of loopback that stands for the network of a jail: each connection is a stream of a session to one host.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { resetSocket } from '../../../src/net/reset-socket.ts';

export interface ClientPort extends AsyncDisposable {
  readonly port: number;
  /** All that the gateway sent to clients, in the order in which it came. */
  readonly received: Buffer[];
}

/** @param open the gateway's end of a new connection */
export async function openClientPort(open: () => Duplex): Promise<ClientPort> {
  const received: Buffer[] = [];
  const sockets = new Set<Socket>();
  const listener = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    join(socket, open(), received);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  // It listens on an address and a port.
  const { port } = listener.address() as AddressInfo;
  return {
    port,
    received,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}

/** Both ways with the ends that either side makes. */
function join(socket: Socket, stream: Duplex, received: Buffer[]): void {
  stream.on('data', (chunk: Buffer) => received.push(Buffer.from(chunk)));
  socket.pipe(stream);
  stream.pipe(socket);
  socket.on('error', () => stream.destroy());
  stream.on('error', () => resetSocket(socket));
  stream.once('close', () => {
    if (!stream.readableEnded) resetSocket(socket);
  });
  socket.once('close', () => stream.destroy());
}
