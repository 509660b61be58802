// The listening sockets through which a workload is captured, as the agent holds them.

import type { Socket as UdpSocket } from 'node:dgram';
import type { Server } from 'node:net';

/** Which ports are to be opened inside. */
export interface EntrancePorts {
  /** Of the relay, on 127.0.0.1. */
  readonly relay: number;
  /** Of every address, for connections that name no proxy. */
  readonly captured: readonly number[];
  /** Ports that on 127.0.0.1 are to lead to the same port of the loopback outside. */
  readonly local?: readonly number[];
  /** Ports for datagrams, on 127.0.0.1. */
  readonly udp?: readonly number[];
}

/** The holder closes them. */
export interface Entrances {
  /** `network`: opened in the workload's own network, where they work whoever holds them. `loopback`: here, by the agent. */
  readonly form: 'network' | 'loopback';
  /** Undefined where the relay's own port can be reached. */
  readonly relay: Server | undefined;
  readonly captured: readonly Server[];
  readonly resolverUdp: UdpSocket;
  readonly resolverTcp: Server;
  /** Connections to other ports arrive on a captured one; the kernel says which port they were for. */
  readonly hasAllPorts: boolean;
  /** Ports that were to be captured and are not, for another server has them. */
  readonly taken: readonly number[];
  /** Captured ports that on 127.0.0.1 lead to the same port of the loopback outside; absent: none does. */
  readonly local?: readonly number[];
  /** For datagrams, each bound to its port; absent: none was asked for. */
  readonly udp?: readonly UdpSocket[];
}

export const resolverPort = 53;
/** What connections are accepted with. */
export const listenerOptions = { allowHalfOpen: true, noDelay: true } as const;
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
