// Before TLS on the public port: who a connection is from, and whether there is room for another stranger.

import type { IncomingMessage } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { senderAddress } from '../../http/forwarded.ts';
import { readProxyProtocol } from '../../net/proxy-protocol.ts';
import type { LimitName, Limits } from '../../protocol/limits.ts';
import { plainAddress } from './networks.ts';
import { StrangerConnections, type StrangerCount, type StrangerLimit } from './stranger-connections.ts';

export interface PublicConnectionsOptions {
  readonly limits: Limits;
  /** Who counts them. */
  readonly strangers: StrangerCount;
  /** Proxies whose word on who is behind them is taken. */
  readonly isTrustedProxy: (address: string) => boolean;
  /** Every connection begins with a PROXY head of a trusted proxy; otherwise none may. */
  readonly requiresProxyProtocol: boolean;
  readonly onLimit: (limit: LimitName) => void;
}

/** Counts in this process. Strangers may take that many descriptors, whatever the limits say. */
export function countStrangers(
  { strangersMax, strangersPerSourceMax }: Pick<Limits, 'strangersMax' | 'strangersPerSourceMax'>,
  descriptorShare: number,
): StrangerConnections {
  return new StrangerConnections({
    strangersMax: Math.max(1, Math.min(strangersMax, descriptorShare)),
    strangersPerSourceMax,
  });
}

export class PublicConnections {
  readonly #options: PublicConnectionsOptions;
  /** What a PROXY head said, by connection. */
  readonly #sources = new Map<string, string>();

  constructor(options: PublicConnectionsOptions) {
    this.#options = options;
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
      else if (this.#admit(socket, plainAddress(socket.remoteAddress ?? ''))) pass();
    });
  }

  /** Who is at the other end, as far as a PROXY head says. */
  peerOf(socket: Socket): string {
    return this.#sources.get(connectionKey(socket)) ?? plainAddress(socket.remoteAddress ?? '');
  }

  /** Who sent a request, as far as proxies that are trusted say. */
  sourceOf({ socket, headersDistinct }: IncomingMessage): string {
    const peer = this.peerOf(socket);
    const fields = {
      forwarded: headersDistinct['forwarded'] ?? [],
      xForwardedFor: headersDistinct['x-forwarded-for'] ?? [],
    };
    return senderAddress(peer, fields, this.#options.isTrustedProxy);
  }

  /** The connection is one of a living session: it is no stranger's any more. */
  showedSession(socket: Duplex): void {
    this.#options.strangers.release(connectionKey(socket));
  }

  async #acceptProxied(socket: Socket, pass: () => void): Promise<void> {
    const peer = plainAddress(socket.remoteAddress ?? '');
    if (!this.#options.isTrustedProxy(peer)) return void socket.destroy();
    if (!this.#admit(socket, peer)) return;
    const onError = (): void => void socket.destroy();
    socket.on('error', onError);
    try {
      const source = await readProxyProtocol(socket, this.#options.limits.handshakeTimeoutMs);
      if (socket.destroyed) return;
      const key = connectionKey(socket);
      if (source !== undefined) this.#sources.set(key, source);
      if (this.#isTaken(socket, await this.#options.strangers.readmit(key, source ?? peer))) pass();
    } catch {
      socket.destroy();
    } finally {
      socket.off('error', onError);
    }
  }

  #admit(socket: Socket, address: string): boolean {
    const key = connectionKey(socket);
    const { strangers } = this.#options;
    if (!this.#isTaken(socket, strangers.admit(key, address))) return false;
    socket.once('close', () => {
      strangers.forget(key);
      this.#sources.delete(key);
    });
    return true;
  }

  #isTaken(socket: Socket, limit: StrangerLimit | undefined): boolean {
    if (limit === undefined) return !socket.destroyed;
    this.#options.onLimit(limit);
    socket.destroy();
    return false;
  }
}

/** The same for a connection and the TLS on it. */
export function connectionKey(socket: Duplex | Socket): string {
  // A stream that is no socket has neither, and is counted by nobody.
  const { remoteAddress, remotePort, localPort } = socket as Partial<Socket>;
  return `${remoteAddress ?? ''}#${remotePort ?? ''}#${localPort ?? ''}`;
}
