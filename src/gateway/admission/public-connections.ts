// Before TLS on the public port: who a connection is from, and whether there is room for another stranger.

import type { IncomingMessage } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { senderAddress } from '../../http/forwarded.ts';
import { readProxyProtocol } from '../../net/proxy-protocol.ts';
import type { LimitName, Limits } from '../../protocol/limits.ts';
import { plainAddress } from './networks.ts';
import { StrangerConnections } from './stranger-connections.ts';

export interface PublicConnectionsOptions {
  readonly limits: Limits;
  /** Descriptors that strangers may take, whatever the limits say. */
  readonly descriptorShare: number;
  /** Proxies whose word on who is behind them is taken. */
  readonly isTrustedProxy: (address: string) => boolean;
  /** Every connection begins with a PROXY head of a trusted proxy; otherwise none may. */
  readonly requiresProxyProtocol: boolean;
  readonly onLimit: (limit: LimitName) => void;
}

export class PublicConnections {
  readonly #options: PublicConnectionsOptions;
  readonly #strangers: StrangerConnections;
  /** What a PROXY head said, by connection. */
  readonly #sources = new Map<string, string>();

  constructor(options: PublicConnectionsOptions) {
    this.#options = options;
    const { strangersMax, strangersPerSourceMax } = options.limits;
    this.#strangers = new StrangerConnections({
      strangersMax: Math.max(1, Math.min(strangersMax, options.descriptorShare)),
      strangersPerSourceMax,
    });
  }

  /** Stands before whatever the server does with a new connection. */
  guard(server: Server): void {
    const accept = server.listeners('connection');
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) => {
      const pass = (): void => {
        for (const listener of accept) listener.call(server, socket);
      };
      if (this.#options.requiresProxyProtocol) void this.#acceptProxied(socket, pass);
      else if (this.#admit(socket, socket.remoteAddress)) pass();
    });
  }

  /** Connections that have not shown a session. */
  get strangers(): number {
    return this.#strangers.count;
  }

  /** Who sent a request, as far as proxies that are trusted say. */
  sourceOf({ socket, headersDistinct }: IncomingMessage): string {
    const peer = this.#sources.get(keyOf(socket)) ?? plainAddress(socket.remoteAddress ?? '');
    const fields = {
      forwarded: headersDistinct['forwarded'] ?? [],
      xForwardedFor: headersDistinct['x-forwarded-for'] ?? [],
    };
    return senderAddress(peer, fields, this.#options.isTrustedProxy);
  }

  /** The connection is one of a living session: it is no stranger's any more. */
  showedSession(socket: Duplex): void {
    this.#strangers.release(keyOf(socket));
  }

  async #acceptProxied(socket: Socket, pass: () => void): Promise<void> {
    const peer = plainAddress(socket.remoteAddress ?? '');
    if (!this.#options.isTrustedProxy(peer)) return void socket.destroy();
    if (!this.#admit(socket, peer)) return;
    const onError = (): void => void socket.destroy();
    socket.on('error', onError);
    try {
      const source = await readProxyProtocol(socket, this.#options.limits.handshakeTimeoutMs);
      this.#strangers.release(keyOf(socket));
      if (source !== undefined) this.#sources.set(keyOf(socket), source);
      if (!this.#admit(socket, source ?? peer)) return;
      pass();
    } catch {
      socket.destroy();
    } finally {
      socket.off('error', onError);
    }
  }

  #admit(socket: Socket, address: string | undefined): boolean {
    const key = keyOf(socket);
    const limit = this.#strangers.admit(key, address);
    if (limit !== undefined) {
      this.#options.onLimit(limit);
      socket.destroy();
      return false;
    }
    socket.once('close', () => {
      this.#strangers.release(key);
      this.#sources.delete(key);
    });
    return true;
  }
}

/** The same for a connection and the TLS on it. */
function keyOf(socket: Duplex | Socket): string {
  // A stream that is no socket has neither, and is counted by nobody.
  const { remoteAddress, remotePort, localPort } = socket as Partial<Socket>;
  return `${remoteAddress ?? ''}#${remotePort ?? ''}#${localPort ?? ''}`;
}
