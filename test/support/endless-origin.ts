// An origin whose downloads and WebSockets never end, and a proxy that leads every name to it.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import https from 'node:https';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import type { TestAuthority } from './test-authority.ts';

const beatMs = 50;

export interface EndlessOrigin extends AsyncDisposable {
  /** A CONNECT proxy on loopback: the way out of a gateway, which then resolves no name itself. */
  readonly proxyUrl: string;
  /** Requests that arrived, as `METHOD host path`. */
  readonly requests: readonly string[];
}

/** `/endless` and every WebSocket send a beat for as long as somebody listens; other paths response `hello`. */
export async function endlessOrigin(authority: TestAuthority): Promise<EndlessOrigin> {
  const requests: string[] = [];
  const sockets = new Set<Duplex>();
  const origin = https.createServer({
    SNICallback: (name, done) => done(null, authority.context(name)),
  });
  origin.on('request', (request, response) => {
    requests.push(`${request.method} ${request.headers.host} ${request.url}`);
    if (request.url !== '/endless') {
      response.end('hello\n');
      return;
    }
    const timer = setInterval(() => response.write('beat\n'), beatMs);
    response.once('close', () => clearInterval(timer));
  });
  origin.on('upgrade', (request, socket: Duplex) => {
    requests.push(`UPGRADE ${request.headers.host} ${request.url}`);
    const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(key).digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
    );
    // An unmasked text frame of four bytes.
    const timer = setInterval(() => socket.write(Buffer.from('\x81\x04beat', 'latin1')), beatMs);
    socket.once('close', () => clearInterval(timer));
    socket.on('error', () => undefined);
  });
  const originPort = await listen(origin);
  const proxy = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.once('data', () => lead(socket, originPort));
  });
  const proxyPort = await listen(proxy);
  return {
    proxyUrl: `http://127.0.0.1:${proxyPort}`,
    requests,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      origin.closeAllConnections();
      proxy.close();
      origin.close();
      await Promise.all([once(proxy, 'close'), once(origin, 'close')]);
    },
  };
}

function lead(socket: Socket, port: number): void {
  const onward = connect({ host: '127.0.0.1', port });
  onward.on('error', () => socket.destroy());
  onward.once('connect', () => {
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    socket.pipe(onward).pipe(socket);
  });
  socket.once('close', () => onward.destroy());
}

async function listen(server: https.Server | ReturnType<typeof createServer>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server that listens on a port has an AddressInfo.
  return (server.address() as AddressInfo).port;
}
