// The entrances of a container without a network of its own for the command: listeners of the agent's own on loopback.

import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { openSystemCalls } from '../../system/ffi.ts';
import { systemCallNumbers } from '../../system/system-call-numbers.ts';
import { socketDescriptor } from '../../system/socket-descriptor.ts';
import { type Entrances, listenerOptions, resolverPort } from './entrances.ts';
import { loopbackNetwork } from './fake-addresses.ts';
import { faultReason } from '../../protocol/fault-reason.ts';

// <asm-generic/socket.h>
const SOL_SOCKET = 1;
const SO_BINDTODEVICE = 25;
const everyAddress = '0.0.0.0';

/**
 * Opens the resolver, and the captured ports that are free. Throws an Error that names the port, of the resolver or one
 * that may not be opened; then nothing is left open. `namePort` is another than 53 in tests.
 */
export async function openLoopbackEntrances(
  captured: readonly number[],
  namePort = resolverPort,
): Promise<Entrances> {
  await using stack = new AsyncDisposableStack();
  const closing = <T extends Server | UdpSocket>(socket: T): T => {
    stack.defer(async () => {
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    });
    return socket;
  };
  const { resolver } = loopbackNetwork;
  const resolverUdp = closing(await bindUdp(resolver, namePort));
  const resolverTcp = closing(await listen(resolver, namePort));
  const servers: Server[] = [];
  const taken: number[] = [];
  for (const port of captured) {
    try {
      servers.push(closing(await listen(everyAddress, port)));
    } catch (error) {
      if (!(error instanceof PortError && error.isTaken)) throw error;
      taken.push(port);
    }
  }
  closeToOtherInterfaces(servers);
  stack.move();
  const ownRelay = { relay: undefined, hasAllPorts: false };
  return { form: 'loopback', ...ownRelay, captured: servers, taken, resolverTcp, resolverUdp };
}

class PortError extends Error {
  readonly isTaken: boolean;

  constructor(address: string, port: number, cause: unknown) {
    // Errors of node:net and node:dgram carry `code`; Bun's nothing else of use.
    const { code } = cause as NodeJS.ErrnoException;
    const reason = code === 'EACCES' ? 'it takes CAP_NET_BIND_SERVICE' : faultReason(cause);
    super(`port ${port} of ${address} cannot be opened: ${reason}`, { cause });
    this.isTaken = code === 'EADDRINUSE';
  }
}

async function listen(host: string, port: number): Promise<Server> {
  const server = createServer(listenerOptions);
  server.listen({ host, port, exclusive: true });
  await once(server, 'listening').catch((error: unknown) => {
    throw new PortError(host, port, error);
  });
  return server;
}

async function bindUdp(address: string, port: number): Promise<UdpSocket> {
  const socket = createSocket('udp4');
  socket.bind({ address, port, exclusive: true });
  await once(socket, 'listening').catch((error: unknown) => {
    socket.close();
    throw new PortError(address, port, error);
  });
  return socket;
}

/**
 * The kernel has no listener for a range of addresses, but one for an interface: from outside the ports are as closed as
 * before. Where it is refused (before Linux 5.7 to others than root), what comes from outside is reset when it is accepted.
 */
function closeToOtherInterfaces(servers: readonly Server[]): void {
  try {
    using calls = openSystemCalls();
    const { setsockopt } = systemCallNumbers();
    const name = Buffer.from('lo\0', 'latin1');
    for (const server of servers) {
      const fd = socketDescriptor(server);
      if (fd !== undefined) calls.call(setsockopt, fd, SOL_SOCKET, SO_BINDTODEVICE, name, name.length);
    }
  } catch {
    // No foreign functions here.
  }
}
