// Watches every TCP connection that this process tries to make, and listens where nobody may ever connect.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';

/** Origins that policy may allow live here; every other address of an origin is forbidden. */
export const allowedAddress = '127.0.0.10';
/** Where the forbidden names of the cases resolve to. */
export const forbiddenAddress = '127.0.0.66';

export interface Sentry extends AsyncDisposable {
  /** `address:port` of each attempt to a place that is neither an allowed origin nor part of the set-up. */
  readonly violations: readonly string[];
  /** A port of loopback that the set-up itself uses. */
  permit(port: number): void;
  /** An address of this machine that a case asks on purpose. */
  permitAddress(address: string): void;
  /** A listener at `address:port`; whoever connects there is a violation. */
  forbid(address: string, port: number): Promise<void>;
}

/** Starts watching. Only one sentry at a time sees clearly: attempts of the whole process count. */
export function startSentry(): Sentry {
  const reached: string[] = [];
  const attempts: { readonly ip: string; readonly port: number }[] = [];
  const permitted = new Set<number>();
  const addresses = new Set<string>();
  const servers: Server[] = [];
  const onSocket = (message: unknown): void => {
    // What node:net publishes on this channel.
    const { socket } = message as { readonly socket: Socket };
    socket.on('connectionAttempt', (ip: string, port: number) => {
      if (ip !== allowedAddress) attempts.push({ ip, port });
    });
  };
  subscribe('net.client.socket', onSocket);
  return {
    // Judged late: a port of the set-up may be known only after its first connection.
    get violations() {
      const forbidden = attempts.filter(
        ({ ip, port }) => !addresses.has(ip) && (ip !== '127.0.0.1' || !permitted.has(port)),
      );
      return [...reached, ...forbidden.map(({ ip, port }) => `${ip}:${port} was tried`)];
    },
    permitAddress: (address) => void addresses.add(address),
    permit: (port) => void permitted.add(port),
    forbid: async (address, port) => {
      const server = createServer((socket) => {
        reached.push(`${address}:${port} was reached`);
        socket.destroy();
      });
      server.listen(port, address);
      await once(server, 'listening');
      servers.push(server);
    },
    [Symbol.asyncDispose]: async () => {
      unsubscribe('net.client.socket', onSocket);
      for (const server of servers) server.close();
    },
  };
}
