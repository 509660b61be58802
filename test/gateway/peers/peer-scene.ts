// A gateway as others see it: its port, its identity, and what it was given.

import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect, type ConnectionOptions } from 'node:tls';
import { PeerDirectory } from '../../../src/gateway/peers/peer-directory.ts';
import { PeerIdentity } from '../../../src/gateway/peers/peer-identity.ts';
import { listenForPeers } from '../../../src/gateway/peers/peer-listener.ts';
import { PeerTunnels } from '../../../src/gateway/peers/peer-tunnels.ts';
import { newGatewayName, newIncarnation } from '../../../src/gateway/tunnels/incarnation.ts';
import type { SplicedUpgrade } from '../../../src/gateway/tunnels/tunnel-server.ts';
import { createEphemeralAuthority } from '../../../src/pki/certificate-authority.ts';
import { defaultLimits, type Limits } from '../../../src/protocol/limits.ts';
import type { GatewayPresence } from '../../../src/store/gateway-store.ts';

export const peerAuthority = createEphemeralAuthority(Date.now(), 'upstreamproxy peers');

export function newPeer(incarnation = newIncarnation(newGatewayName())): PeerIdentity {
  return new PeerIdentity(incarnation, peerAuthority, Date.now);
}

export interface ListeningPeer extends AsyncDisposable {
  readonly identity: PeerIdentity;
  readonly address: string;
  readonly port: number;
}

export async function listeningPeer(
  take: (upgrade: SplicedUpgrade) => void,
  changes: Partial<Limits> = {},
  { incarnation, identity = newPeer(incarnation) }: { incarnation?: string; identity?: PeerIdentity } = {},
): Promise<ListeningPeer> {
  const listener = await listenForPeers({
    identity,
    listen: { address: '127.0.0.1', port: 0 },
    limits: { ...defaultLimits, ...changes },
    clock: Date.now,
    take,
    follow: async (socket) => void socket.destroy(),
    start: async (socket) => void socket.destroy(),
    proofs: async (socket) => void socket.destroy(),
    onFault: () => undefined,
  });
  const { port } = listener;
  return {
    identity,
    port,
    address: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
  };
}

/** What the store says of gateways, as the test changes it. */
export class FakeGateways {
  readonly rows = new Map<string, GatewayPresence>();
  isAway = false;

  put(incarnation: string, changes: Partial<GatewayPresence>): void {
    this.rows.set(incarnation, {
      incarnation,
      peerAddress: undefined,
      state: 'serving',
      changeSeen: 0,
      identityKeys: undefined,
      isCurrent: true,
      ...changes,
    });
  }

  async find(incarnation: string): Promise<GatewayPresence | undefined> {
    if (this.isAway) throw new Error('away');
    return this.rows.get(incarnation);
  }

  async current(): Promise<readonly GatewayPresence[]> {
    return [...this.rows.values()].filter(({ isCurrent }) => isCurrent);
  }
}

export function peerTunnels(
  gateways: FakeGateways,
  changes: Partial<Limits> = {},
): { readonly tunnels: PeerTunnels; readonly directory: PeerDirectory; readonly identity: PeerIdentity } {
  const [directory, identity] = [new PeerDirectory(gateways), newPeer()];
  const limits = { ...defaultLimits, ...changes };
  return {
    directory,
    identity,
    tunnels: new PeerTunnels({ identity, directory, limits, log: () => undefined }),
  };
}

/** Everything that a connection with these options gets until its end; its error does not matter. */
export async function responseOf(
  port: number,
  options: ConnectionOptions,
  sent: Uint8Array,
): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, servername: 'peer.test', ...options });
  socket.on('error', () => undefined);
  socket.once('secureConnect', () => socket.write(sent));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const got = await text(socket).catch(() => '');
  await closed;
  return got;
}

/** Two ends of a connection over loopback. */
export async function socketPair(): Promise<readonly [Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server that listens on a port has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  const one = connectTcp({ host: '127.0.0.1', port, allowHalfOpen: true });
  const [other] = (await once(server, 'connection')) as [Socket];
  server.close();
  for (const socket of [one, other]) socket.on('error', () => undefined);
  return [one, other];
}
