// The agent's local proxy: a listener on loopback that hands each connection to a stream of the tunnel.

import type { RelayContext, RelayTunnel } from './relay-connection.ts';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { resetSocket } from '../../net/reset-socket.ts';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { type Limits, defaultLimits } from '../../protocol/limits.ts';
import { Roster } from '../../protocol/roster.ts';
import { type Logger, silentLogger } from '../../system/logger.ts';
import type { ClientTls } from './client-tls.ts';
import { serveRelayConnection } from './relay-connection.ts';
import { listenPrivateSocket } from './relay-socket.ts';

export interface RelayOptions extends RelayPlace {
  readonly tunnel: RelayTunnel;
}

/** Where a relay listens, and what of it is bounded and told. */
export interface RelayPlace {
  /** 0, the default, takes a free one; `off` listens on the Unix socket alone. */
  readonly port?: number | 'off';
  /** A Unix socket beside the port, for this user alone. */
  readonly socketPath?: string;
  /** `127.0.0.1`, `::1`, or `localhost` for both, the default. Nothing else: the relay is for this machine alone. */
  readonly host?: string;
  readonly limits?: Limits;
  readonly logger?: Logger;
}

export interface Relay extends AsyncDisposable {
  /** 0 if there is none. */
  readonly port: number;
  readonly socketPath?: string;
  /** The addresses that it listens on. */
  readonly hosts: readonly string[];
  readonly connectionCount: number;
  /** Takes no new connections, waits up to `drainMs` for the open ones, then resets them. Harmless when repeated. */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/**
 * Starts the relay: CONNECT and absolute-form requests, on loopback and on a Unix socket only. `clientTls` ends TLS of clients where
 * the tunnel takes the modes for it; `serveChild` serves those who ask for a session that may less.
 * Throws usage for another address and relay_port_in_use for a taken port.
 */
export async function startRelay(
  options: RelayOptions,
  clientTls?: ClientTls,
  serveChild?: RelayContext['serveChild'],
): Promise<Relay> {
  const limits = options.limits ?? defaultLimits;
  const sockets = new Roster<Socket>();
  const { tunnel, logger = silentLogger } = options;
  const context = {
    tunnel,
    limits,
    logger,
    ...(clientTls === undefined ? {} : { clientTls }),
    ...(serveChild === undefined ? {} : { serveChild }),
  };
  const accept = (socket: Socket): void => {
    const place = sockets.add(socket);
    socket.on('close', () => sockets.remove(place));
    serveRelayConnection(socket, context);
  };
  const { port = 0, socketPath: path } = options;
  if (port === 'off' && path === undefined)
    throw new ProxyError('usage', 'a relay without a port needs a Unix socket');
  const onRefused = (reason: string): void => logger.warn(`a connection to the relay was refused: ${reason}`);
  // First what is named: a free port cannot be taken.
  const own = { name: 'the relay socket', connectionsMax: limits.streamsMax, accept, onRefused };
  const local = path === undefined ? undefined : await listenPrivateSocket({ path, ...own });
  try {
    const servers =
      port === 'off' ? [] : await listenLoopback({ host: options.host ?? 'localhost', port }, limits, accept);
    // What accept(2) refuses, as for want of descriptors, is that connection's end and not the agent's.
    for (const server of local === undefined ? servers : [...servers, local])
      server.on('error', (error) => logger.warn(`relay: ${error.message}`));
    return new ListeningRelay({ servers, local, ...(path === undefined ? {} : { path }), sockets });
  } catch (error) {
    if (local !== undefined) await closeServer(local);
    throw error;
  }
}

interface RelayParts {
  readonly servers: readonly Server[];
  readonly local: Server | undefined;
  readonly path?: string;
  readonly sockets: Roster<Socket>;
}

class ListeningRelay implements Relay {
  readonly port: number;
  readonly socketPath?: string;
  readonly hosts: readonly string[];
  readonly #servers: readonly Server[];
  readonly #sockets: Roster<Socket>;
  #closed: Promise<unknown> | undefined;

  constructor({ servers, local, path, sockets }: RelayParts) {
    this.#servers = local === undefined ? servers : [...servers, local];
    if (path !== undefined) this.socketPath = path;
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
    for (const socket of this.#sockets.members) resetSocket(socket);
  }
}

/** Resolves when the last connection is gone too. */
function closeServer(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  return promise;
}

async function listenLoopback(
  { host: named, port }: { readonly host: string; readonly port: number },
  limits: Limits,
  accept: (socket: Socket) => void,
): Promise<readonly Server[]> {
  const hosts = hostsOf(named);
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
      if (port !== 0 || servers.length === 0 || attempt === defaultLimits.relayPortAttemptsMax) throw error;
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
      reject(
        new ProxyError(
          'relay_port_in_use',
          `port ${port} of ${host} cannot be opened: ${faultReason(error)}`,
        ),
      );
  });
  server.listen({ host, port }, () => resolve(true));
  return (await promise) ? server : undefined;
}

function addressOf(server: Server): AddressInfo {
  // It listens on TCP, so the address is never a pipe's name or null.
  return server.address() as AddressInfo;
}
