// A CONNECT proxy on loopback that leads each name to an origin of the test: the way out of a gateway.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

export interface LeadingProxy extends AsyncDisposable {
  readonly url: string;
}

/** `ports` are those of the origins by host name; any other name is refused with 502. */
export async function leadingProxy(ports: Readonly<Record<string, number>>): Promise<LeadingProxy> {
  const sockets = new Set<Duplex>();
  const server = createServer();
  server.on('connect', (request, socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    const [host = ''] = (request.url ?? '').split(':');
    const port = Object.hasOwn(ports, host) ? ports[host] : undefined;
    if (port === undefined) {
      socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    const origin = connect(port, '127.0.0.1');
    sockets.add(origin);
    origin.once('connect', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(origin).pipe(socket);
    });
    origin.on('error', () => socket.destroy());
    socket.once('close', () => origin.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // A server that listens on a port has an AddressInfo.
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
