// The ports for datagrams of a session: in the network of its jail, or on the loopback of the container.

import type { Socket } from 'node:dgram';
import { ProxyError } from '../../protocol/error.ts';
import type { DatagramContext } from './datagram-entrance.ts';
import type { DatagramMapping } from './datagram-mapping.ts';

interface DatagramPortsOptions extends Pick<DatagramContext, 'limits' | 'logger'> {
  readonly datagrams?: readonly DatagramMapping[];
}

interface DatagramPlace {
  readonly tunnel: DatagramContext['tunnel'];
  /** Of the jail; undefined: there is none, or none with a network. */
  readonly udp: readonly Socket[] | undefined;
  readonly stack: AsyncDisposableStack;
}

/** Serves them until the stack is disposed of. @throws ProxyError config_invalid for a port that is taken */
export async function serveDatagramPorts(
  { datagrams = [], limits, logger }: DatagramPortsOptions,
  { tunnel, udp, stack }: DatagramPlace,
): Promise<void> {
  if (datagrams.length === 0) return;
  // Few ask for it, and it needs more of the runtime.
  const { DatagramEntrance, openDatagramPort } = await import('./datagram-entrance.ts');
  for (const mapping of datagrams) {
    const inside = udp?.find((socket) => socket.address().port === mapping.port);
    if (udp !== undefined && inside === undefined)
      throw new ProxyError('jail_refused', `the jail has no port ${String(mapping.port)} for datagrams`);
    const socket = inside ?? (await openDatagramPort(mapping));
    stack.use(new DatagramEntrance(socket, mapping, { tunnel, limits, logger }));
  }
}
