// The agent's local proxy: a listener on loopback that hands each connection to a stream of the tunnel.

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { ProxyError } from '../protocol/error.ts';
import type { OpenFields } from '../protocol/frame.ts';
import { type Limits, defaultLimits } from '../protocol/limits.ts';
import type { TunnelStream } from '../net/tunnel-stream.ts';
import { type Logger, silentLogger } from './logger.ts';
import { serveRelayConnection } from './relay-connection.ts';

/** What the relay needs of a tunnel. */
export interface RelayTunnel {
  /** Whether a stream can be opened now. */
  readonly isUp: boolean;
  /** Waits until one can, with a deadline of its own; throws why not. */
  whenUp(): Promise<void>;
  openStream(fields: OpenFields): TunnelStream;
}

export interface RelayOptions {
  readonly tunnel: RelayTunnel;
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** `127.0.0.1`, `::1`, or `localhost` for both, the default. Nothing else: the relay is for this machine alone. */
  readonly host?: string;
  readonly limits?: Limits;
  readonly logger?: Logger;
}

export interface Relay extends AsyncDisposable {
  readonly port: number;
  /** The addresses that it listens on. */
  readonly hosts: readonly string[];
  readonly connectionCount: number;
  /** Takes no new connections, waits up to `drainMs` for the open ones, then resets them. Harmless when repeated. */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/**
 * Starts the relay: CONNECT and absolute-form requests, loopback only.
 * Throws usage for another address and relay_port_in_use for a taken port.
 */
export async function startUpstreamProxyRelay(options: RelayOptions): Promise<Relay> {
  const limits = options.limits ?? defaultLimits;
  const sockets = new Set<Socket>();
  const accept = (socket: Socket): void => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    serveRelayConnection(socket, { tunnel: options.tunnel, limits, logger: options.logger ?? silentLogger });
  };
  const servers = await listenLoopback(options, limits, accept);
  return new LoopbackRelay(servers, sockets);
}

class LoopbackRelay implements Relay {
  readonly port: number;
  readonly hosts: readonly string[];
  readonly #servers: readonly Server[];
  readonly #sockets: ReadonlySet<Socket>;
  #closed: Promise<unknown> | undefined;

  constructor(servers: readonly Server[], sockets: ReadonlySet<Socket>) {
    this.#servers = servers;
    this.#sockets = sockets;
    const addresses = servers.map(addressOf);
    this.port = addresses[0]?.port ?? 0;
    this.hosts = addresses.map(({ address }) => address);
  }

  get connectionCount(): number {
    return this.#sockets.size;
  }

  async close(options: { readonly drainMs?: number } = {}): Promise<void> {
    this.#closed ??= Promise.all(this.#servers.map(closeServer));
    const timer = setTimeout(() => this.#resetAll(), options.drainMs ?? 0);
    await this.#closed;
    clearTimeout(timer);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #resetAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }
}

/** Resolves when the last connection is gone too. */
function closeServer(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  return promise;
}

// A free port of 127.0.0.1 may be taken on ::1; then another is tried.
const portAttemptsMax = 10;

async function listenLoopback(
  options: RelayOptions,
  limits: Limits,
  accept: (socket: Socket) => void,
): Promise<readonly Server[]> {
  const hosts = hostsOf(options.host ?? 'localhost');
  const port = options.port ?? 0;
  for (let attempt = 1; ; attempt++) {
    const servers: Server[] = [];
    try {
      for (const host of hosts) {
        const chosen = servers[0] === undefined ? port : addressOf(servers[0]).port;
        const server = await listenOn(host, chosen, limits, accept);
        if (server !== undefined) servers.push(server);
      }
      if (servers.length === 0)
        throw new ProxyError('relay_port_in_use', 'this machine has no loopback address');
      return servers;
    } catch (error) {
      await Promise.all(servers.map(closeServer));
      if (port !== 0 || servers.length === 0 || attempt === portAttemptsMax) throw error;
    }
  }
}

function hostsOf(host: string): readonly string[] {
  switch (host) {
    case 'localhost':
      return ['127.0.0.1', '::1'];
    case '127.0.0.1':
    case '::1':
      return [host];
    default:
      throw new ProxyError(
        'usage',
        `the relay listens on loopback only: 127.0.0.1, ::1 or localhost, not ${host}`,
      );
  }
}

/** Undefined where the machine lacks the address family. */
async function listenOn(
  host: string,
  port: number,
  limits: Limits,
  accept: (socket: Socket) => void,
): Promise<Server | undefined> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, accept);
  server.maxConnections = limits.streamsMax;
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  server.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT') resolve(false);
    else if (error.code === 'EADDRINUSE') {
      reject(
        new ProxyError('relay_port_in_use', `port ${port} of ${host} is taken by another process`, {
          cause: error,
        }),
      );
    } else
      reject(new ProxyError('relay_port_in_use', `port ${port} of ${host} cannot be opened (${error.code})`));
  });
  server.listen({ host, port }, () => resolve(true));
  return (await promise) ? server : undefined;
}

function addressOf(server: Server): AddressInfo {
  // It listens on TCP, so the address is never a pipe's name or null.
  return server.address() as AddressInfo;
}
