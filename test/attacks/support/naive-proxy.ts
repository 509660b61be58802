// A path without us: a small proxy of the kind that the cases were found in. What it lets through is the control.

import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { connect, createServer as createTcp, type AddressInfo, type Socket } from 'node:net';

export interface Victim {
  /** Host field that arrived, as the runtime reads it. */
  readonly host: string;
  /** Name that the proxy dialled. */
  readonly dialled: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly body: string;
  readonly status: number;
}

export interface NaiveProxy extends AsyncDisposable {
  readonly port: number;
  readonly kind: NaiveKind;
  readonly seen: Victim[];
}

/**
 * `connect` judges the CONNECT line and pipes; `host-judged` judges Host, dials what the URL names, and copies the
 * request; `prefix-judged` judges the path as it is spelled, the origin normalises it. `upgrade-blind` judges the handshake of
 * a WebSocket and pipes what follows; its origin never switched, and takes that for a request.
 */
export type NaiveKind = 'connect' | 'host-judged' | 'prefix-judged' | 'upgrade-blind';

/** Proxy and origin in one: instead of dialling it notes what it would have dialled. */
export async function naiveProxy(kind: NaiveKind): Promise<NaiveProxy> {
  const seen: Victim[] = [];
  const sockets = new Set<Socket>();
  const inner = createServer((request, response) => {
    void serve(request, kind, seen).then((status) => response.writeHead(status).end());
  });
  const outer = createTcp((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    if (kind === 'host-judged' || kind === 'prefix-judged') return void inner.emit('connection', socket);
    socket.once('data', (chunk: Buffer) => {
      if (kind === 'upgrade-blind') {
        if (!chunk.toString('latin1').startsWith('GET /ws ')) return void socket.destroy();
        socket.unshift(chunk.subarray(chunk.indexOf('\r\n\r\n') + 4));
        return void inner.emit('connection', socket);
      }
      // The only check of this kind: the name in CONNECT. Everything behind it is passed.
      if (!chunk.toString('latin1').startsWith('CONNECT allowed.test:')) return void socket.destroy();
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      const rest = chunk.subarray(chunk.indexOf('\r\n\r\n') + 4);
      if (rest.length > 0) socket.unshift(rest);
      inner.emit('connection', socket);
    });
  });
  outer.listen(0, '127.0.0.1');
  await once(outer, 'listening');
  return {
    // Listening on an address and a port.
    port: (outer.address() as AddressInfo).port,
    kind,
    seen,
    [Symbol.asyncDispose]: async () => {
      outer.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function serve(request: IncomingMessage, kind: NaiveKind, seen: Victim[]): Promise<number> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  const host = request.headers.host ?? '';
  const url = request.url ?? '';
  const dialled = /^http:\/\/([^/]+)/.exec(url)?.[1] ?? host;
  if (kind === 'host-judged' && !host.startsWith('allowed.test')) return 403;
  if (kind === 'prefix-judged' && !url.startsWith('/public')) return 403;
  const path = kind === 'prefix-judged' ? new URL(url, 'http://origin.test').pathname : url;
  seen.push({ host, dialled, url: path, rawHeaders: request.rawHeaders, body, status: 200 });
  return 200;
}

/** Bytes with the CONNECT that the naive proxy admits in front. */
export function naiveRequest(name: string, bytes: string): string {
  return `CONNECT ${name}:443 HTTP/1.1\r\n\r\n${bytes}`;
}

/** Sends the bytes and gives what the victim saw last. @throws if the attack did not get through */
export async function victimOf(proxy: NaiveProxy, bytes: string): Promise<Victim> {
  const socket = connect(proxy.port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.end(Buffer.from(bytes, 'latin1'));
  socket.resume();
  await Promise.race([once(socket, 'end'), once(socket, 'close')]);
  const victim = proxy.seen.at(-1);
  if (victim === undefined) throw new Error('the control failed: the attack did not reach the naive victim');
  return victim;
}
