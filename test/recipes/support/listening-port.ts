import type { AddressInfo, Server } from 'node:net';

/** Of a server that listens on a port. */
export function listeningPort(server: Server): number {
  // A server that listens on a port has an AddressInfo.
  return (server.address() as AddressInfo).port;
}
