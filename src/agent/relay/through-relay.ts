// A tunnel that is another relay: for connections that arrive in a network from which that one cannot be reached.

import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { resetSocket } from '../../net/reset-socket.ts';
import type { OpenFields } from '../../protocol/frame.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { connectThroughRelay } from './connect-through-relay.ts';
import type { RelayStream } from './join.ts';
import type { RelayTunnel } from './relay-connection.ts';

export function throughRelay(relay: { readonly host: string; readonly port: number }): RelayTunnel {
  return {
    isUp: true,
    whenUp: () => Promise.resolve(),
    openStream: async ({ authority, mode }: OpenFields) =>
      asStream(
        mode === 'proxy'
          ? await connected(relay)
          : await connectThroughRelay({
              relay,
              authority,
              // The relay responds at once: whatever it waits for comes behind that.
              timeoutMs: defaultLimits.enrolTimeoutMs,
            }),
      ),
  };
}

async function connected(relay: { readonly host: string; readonly port: number }): Promise<Socket> {
  const socket = connect({ ...relay, allowHalfOpen: true });
  await once(socket, 'connect', { signal: AbortSignal.timeout(defaultLimits.headTimeoutMs) });
  return socket;
}

function asStream(socket: Socket): RelayStream {
  socket.on('error', () => {});
  return Object.assign(socket, { reset: () => resetSocket(socket) });
}
