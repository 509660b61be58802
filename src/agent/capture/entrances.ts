// The listening sockets of the workload's namespace, as the agent outside holds them.

import type { Socket as UdpSocket } from 'node:dgram';
import type { Server } from 'node:net';

/** Which ports are to be opened inside. */
export interface EntrancePorts {
  /** Of the relay, on 127.0.0.1. */
  readonly relay: number;
  /** Of every address, for connections that name no proxy. */
  readonly captured: readonly number[];
}

/** They were opened inside and work inside, whoever holds them. The holder closes them. */
export interface Entrances {
  readonly relay: Server;
  readonly captured: readonly Server[];
  readonly resolverUdp: UdpSocket;
  readonly resolverTcp: Server;
  /** Connections to other ports arrive on a captured one; the kernel says which port they were for. */
  readonly hasAllPorts: boolean;
}

export const resolverPort = 53;
/** Every client of HTTP uses them. */
const usualPorts: readonly number[] = [80, 443];
/** What can be opened before the session stands: all but what the relay takes. */
export function earlyPorts(relay: number | undefined): readonly number[] {
  return usualPorts.filter((port) => port !== relay);
}
/** The ports to open for a policy that opens `more`; at most `portsMax` are captured. */
export function entrancePorts(relay: number, more: readonly number[], portsMax: number): EntrancePorts {
  const captured = [...new Set([...usualPorts, ...more])].filter(
    (port) => port !== relay && port !== resolverPort,
  );
  return { relay, captured: captured.slice(0, portsMax) };
}
