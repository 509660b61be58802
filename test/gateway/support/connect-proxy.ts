// CONNECT in front of the request path, for real clients that want a proxy.

import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { RequestPath } from './request-path.ts';

export interface ConnectProxy extends AsyncDisposable {
  readonly url: string;
}

export async function openConnectProxy(path: RequestPath, principal?: string): Promise<ConnectProxy> {
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    client.once('close', () => clients.delete(client));
    client.on('error', () => undefined);
    client.once('data', (head) => {
      const [, target = ''] = /^CONNECT (\S+) /.exec(head.toString('latin1')) ?? [];
      const { socket } = path.open({ authority: target, mode: 'raw' }, principal);
      // Either side that breaks off takes the other along: nobody waits for a peer that is gone.
      client.once('close', () => socket.destroy());
      socket.once('close', () => client.destroySoon());
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(client);
      client.pipe(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Listening on a port, not on a path.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const client of clients) client.destroy();
      await closed;
    },
  };
}
