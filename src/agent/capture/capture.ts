// Connections of a workload that knows of no proxy: each arrives on an address that stands for a name, and goes to that
// name through the tunnel, as CONNECT would have it.

import { createServer, type Server, type Socket } from 'node:net';
import { resetSocket } from '../../net/reset-socket.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { RelayContext } from '../relay/relay-connection.ts';
import { serveCapturedConnection, serveRelayConnection } from '../relay/relay-connection.ts';
import { isLoopback } from '../uplink/gateway-address.ts';
import { type EntrancePorts, type Entrances, listenerOptions } from './entrances.ts';
import { FakeAddresses, loopbackNetwork } from './fake-addresses.ts';
import { joinLocalService } from './local-service.ts';
import { openOriginalPort, type OriginalPort } from './original-port.ts';
import { serveTcpResolver, serveUdpResolver } from './resolver-server.ts';

export interface Capture extends AsyncDisposable {
  readonly form: Entrances['form'];
  /** Ports for datagrams in the workload's network, whose owner is who asked for them. */
  readonly udp?: Entrances['udp'];
  /** Ports that are not captured, for another server has them. */
  readonly takenPorts: readonly number[];
  readonly connectionCount: number;
  /** Takes no new connections, waits up to `drainMs` for the open ones, then resets them. Harmless when repeated. */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/** Opens the entrances of a workload's namespace for a relay's port and the ports that its policy opens. */
export type CaptureStarter = (ports: EntrancePorts) => Promise<Entrances | undefined>;

/** Serves the entrances until `close`, which closes them too. */
export function startCapture(entrances: Entrances, context: RelayContext): Capture {
  const isShared = entrances.form === 'loopback';
  const namesMax = context.limits.captureNamesMax;
  const addresses = new FakeAddresses({ namesMax, ...(isShared ? loopbackNetwork : {}) });
  const sockets = new Set<Socket>();
  const { streamsMax } = context.limits;
  const original = entrances.hasAllPorts ? openOriginalPort() : undefined;
  const local = new Set(entrances.local);
  const portOf: OriginalPort = original === undefined ? ({ localPort }) => localPort : original.of;
  const serve = (inside: Server, connectionsMax: number, accept: (socket: Socket) => void): Server => {
    const server = isShared ? inside : createServer(listenerOptions);
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      // Into a network of its own nobody else leads a way; on loopback a route could (route_localnet).
      if (isShared && !isLoopback(socket.remoteAddress ?? '')) reset(socket);
      else accept(socket);
    });
    server.maxConnections = connectionsMax;
    // What accept(2) refuses, as for want of descriptors, is that connection's end and not the agent's.
    server.on('error', (error) => context.logger.warn(`capture: ${error.message}`));
    if (!isShared) server.listen(inside);
    return server;
  };
  const servers = [
    ...(entrances.relay === undefined ? [] : [entrances.relay]).map((inside) =>
      serve(inside, streamsMax, (socket) => serveRelayConnection(socket, context)),
    ),
    ...entrances.captured.map((inside) =>
      serve(inside, streamsMax, (socket) => serveByAddress(socket, { addresses, portOf, local, context })),
    ),
    serve(entrances.resolverTcp, defaultLimits.captureDnsConnectionsMax, (socket) =>
      serveTcpResolver(socket, addresses),
    ),
  ];
  serveUdpResolver(entrances.resolverUdp, addresses, isShared ? isLoopback : () => true);
  return captureOf({ servers, sockets, entrances, original });
}

interface CaptureParts {
  readonly servers: readonly Server[];
  readonly sockets: ReadonlySet<Socket>;
  readonly entrances: Entrances;
  readonly original: Disposable | undefined;
}

function captureOf({ servers, sockets, entrances, original }: CaptureParts): Capture {
  let closed: Promise<unknown> | undefined;
  let isReleased = false;
  const close = async ({ drainMs = 0 }: { readonly drainMs?: number } = {}): Promise<void> => {
    closed ??= Promise.all([...servers.map(closeServer), closeUdp(entrances)]);
    const timer = setTimeout(() => {
      for (const socket of sockets) resetSocket(socket);
    }, drainMs);
    await closed;
    clearTimeout(timer);
    if (!isReleased) original?.[Symbol.dispose]();
    isReleased = true;
  };
  return {
    form: entrances.form,
    ...(entrances.udp === undefined ? {} : { udp: entrances.udp }),
    takenPorts: entrances.taken,
    get connectionCount() {
      return sockets.size;
    },
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}

interface CapturedContext {
  readonly addresses: FakeAddresses;
  readonly portOf: OriginalPort;
  readonly local: ReadonlySet<number>;
  readonly context: RelayContext;
}

function serveByAddress(socket: Socket, { addresses, portOf, local, context }: CapturedContext): void {
  const { localAddress } = socket;
  const port = portOf(socket);
  if (localAddress === '127.0.0.1' && port !== undefined && local.has(port)) {
    joinLocalService(socket, port);
    return;
  }
  const held = localAddress === undefined ? undefined : addresses.hold(localAddress);
  if (held === undefined || port === undefined) {
    // An address that the resolver gave to nobody, or another one of this machine: nobody listens there.
    reset(socket);
    return;
  }
  socket.once('close', () => held[Symbol.dispose]());
  serveCapturedConnection(socket, { host: held.name, port }, context);
}

function reset(socket: Socket): void {
  socket.on('error', () => {});
  resetSocket(socket);
}

function closeServer(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  return promise;
}

function closeUdp({ resolverUdp }: Entrances): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  resolverUdp.close(() => resolve());
  return promise;
}
