// Two ends of a real loopback connection, for the tests of what runs on a WebSocket.

import { once } from 'node:events';
import net from 'node:net';
import { Duplex } from 'node:stream';

import { WebSocketConnection } from '../../src/net/websocket-connection.ts';
import type { WebSocketHandlers } from '../../src/net/websocket-connection.ts';
import type { ProxyError } from '../../src/protocol/error.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import type { Limits } from '../../src/protocol/limits.ts';

const sockets = new Set<net.Socket>();

/** For `afterEach`, so that a test that failed half-way does not keep the process alive. */
export function destroySockets(): void {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
}

/** A connected pair of TCP sockets; the listener is gone again when it resolves. */
export async function socketPair(): Promise<{ readonly client: net.Socket; readonly server: net.Socket }> {
  const listener = net.createServer({ allowHalfOpen: true });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address() as net.AddressInfo;
  const client = net.connect({ host: '127.0.0.1', port: address.port, allowHalfOpen: true, noDelay: true });
  const [server] = (await once(listener, 'connection')) as [net.Socket];
  if (client.connecting) await once(client, 'connect');
  server.setNoDelay(true);
  listener.close();
  sockets.add(client).add(server);
  return { client, server };
}

export interface WebSocketPair {
  readonly client: WebSocketConnection;
  readonly server: WebSocketConnection;
  readonly clientSocket: net.Socket;
  readonly serverSocket: net.Socket;
}

/** Both ends of a WebSocket, the handshake left out. */
export async function webSocketPair(
  options: { limits?: Limits; zeroMask?: boolean } = {},
): Promise<WebSocketPair> {
  const { limits = defaultLimits, zeroMask = false } = options;
  const { client, server } = await socketPair();
  return {
    client: new WebSocketConnection({ socket: client, role: 'client', zeroMask, limits }),
    server: new WebSocketConnection({ socket: server, role: 'server', zeroMask, limits }),
    clientSocket: client,
    serverSocket: server,
  };
}

/** Records what a connection calls: whole messages, and how it ended. */
export class Recorder implements WebSocketHandlers {
  readonly messages: Buffer[] = [];
  pongs = 0;
  drains = 0;
  readonly closed: Promise<ProxyError | undefined>;
  readonly onClose: (error: ProxyError | undefined) => void;
  #parts: Buffer[] = [];
  #waiters: { readonly count: number; readonly resolve: () => void }[] = [];

  constructor() {
    const { promise, resolve } = Promise.withResolvers<ProxyError | undefined>();
    this.closed = promise;
    this.onClose = resolve;
  }

  onData(chunk: Uint8Array): void {
    this.#parts.push(Buffer.from(chunk));
  }

  onMessageEnd(): void {
    this.messages.push(Buffer.concat(this.#parts));
    this.#parts = [];
    for (const { count, resolve } of this.#waiters) if (this.messages.length >= count) resolve();
  }

  onPong(): void {
    this.pongs += 1;
  }

  onDrain(): void {
    this.drains += 1;
  }

  async received(count: number): Promise<readonly Buffer[]> {
    if (this.messages.length < count) {
      await new Promise<void>((resolve) => this.#waiters.push({ count, resolve }));
    }
    return this.messages;
  }
}

/** The two ends of a pipe in memory: what one writes, the other reads in the next turn. */
export function duplexPair(): readonly [Duplex, Duplex] {
  const ends: Duplex[] = [];
  const make = (other: () => Duplex): Duplex =>
    new Duplex({
      allowHalfOpen: true,
      read() {},
      write(chunk: Buffer, _encoding, callback) {
        other().push(Buffer.from(chunk));
        callback();
      },
      final(callback) {
        other().push(null);
        callback();
      },
    });
  ends.push(
    make(() => ends[1]!),
    make(() => ends[0]!),
  );
  return [ends[0]!, ends[1]!];
}
