// Connections of a workload that knows of no proxy: each arrives on an address that stands for a name, and goes to that
// name through the tunnel, as CONNECT would have it.

import { createServer, type Server, type Socket } from 'node:net';
import type { RelayContext } from '../relay-connection.ts';
import { serveCapturedConnection, serveRelayConnection } from '../relay-connection.ts';
import type { EntrancePorts, Entrances } from './entrances.ts';
import { FakeAddresses } from './fake-addresses.ts';
import { openOriginalPort, type OriginalPort } from './original-port.ts';
import { resolverConnectionsMax, serveTcpResolver, serveUdpResolver } from './resolver-server.ts';

export interface Capture extends AsyncDisposable {
  readonly connectionCount: number;
  /** Takes no new connections, waits up to `drainMs` for the open ones, then resets them. Harmless when repeated. */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/** Opens the entrances of a workload's namespace for a relay's port and the ports that its policy opens. */
export type CaptureStarter = (ports: EntrancePorts) => Promise<Entrances | undefined>;

/** Serves the entrances until `close`, which closes them too. */
export function startCapture(entrances: Entrances, context: RelayContext): Capture {
  const addresses = new FakeAddresses({ namesMax: context.limits.captureNamesMax });
  const sockets = new Set<Socket>();
  const { streamsMax } = context.limits;
  const original = entrances.hasAllPorts ? openOriginalPort() : undefined;
  const portOf: OriginalPort = original === undefined ? ({ localPort }) => localPort : original.of;
  const serve = (inside: Server, connectionsMax: number, accept: (socket: Socket) => void): Server => {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      accept(socket);
    });
    server.maxConnections = connectionsMax;
    // What accept(2) refuses, as for want of descriptors, is that connection's end and not the agent's.
    server.on('error', (error) => context.logger.warn(`capture: ${error.message}`));
    server.listen(inside);
    return server;
  };
  const servers = [
    serve(entrances.relay, streamsMax, (socket) => serveRelayConnection(socket, context)),
    ...entrances.captured.map((inside) =>
      serve(inside, streamsMax, (socket) => serveByAddress(socket, { addresses, portOf, context })),
    ),
    serve(entrances.resolverTcp, resolverConnectionsMax, (socket) => serveTcpResolver(socket, addresses)),
  ];
  serveUdpResolver(entrances.resolverUdp, addresses);
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
      for (const socket of sockets) socket.resetAndDestroy();
    }, drainMs);
    await closed;
    clearTimeout(timer);
    if (!isReleased) original?.[Symbol.dispose]();
    isReleased = true;
  };
  return {
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
  readonly context: RelayContext;
}

function serveByAddress(socket: Socket, { addresses, portOf, context }: CapturedContext): void {
  const { localAddress } = socket;
  const port = portOf(socket);
  const held = localAddress === undefined ? undefined : addresses.hold(localAddress);
  if (held === undefined || port === undefined) {
    // An address that the resolver gave to nobody, or of 127.0.0.0/8: nobody listens there.
    socket.on('error', () => {});
    socket.resetAndDestroy();
    return;
  }
  socket.once('close', () => held[Symbol.dispose]());
  serveCapturedConnection(socket, { host: held.name, port }, context);
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
