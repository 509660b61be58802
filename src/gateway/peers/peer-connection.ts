// A connection to another gateway, which has shown that it is the one that was meant.

import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { splitNumber } from '../../http/digits-at-end.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { incarnationOf, type PeerIdentity, peerNameOf, peerProtocol } from './peer-identity.ts';

/** The name that is asked for where it is not known who listens. */
const anyone = '0'.repeat(32);

export type PeerConnection =
  | { readonly kind: 'connected'; readonly socket: TLSSocket; readonly incarnation: string }
  /** Nobody listens there, or another process of the gateways does. */
  | { readonly kind: 'absent' };

/**
 * @param address `host:port`
 * @param incarnation undefined: whichever process of the gateways listens there
 * @throws ProxyError peer_unreachable where nothing is known of it
 */
export async function connectPeer(
  address: string,
  incarnation: string | undefined,
  identity: PeerIdentity,
  protocol = peerProtocol,
): Promise<PeerConnection> {
  const { peerConnectTimeoutMs } = defaultLimits;
  const carrier = connect({ ...placeOf(address), allowHalfOpen: true, noDelay: true });
  const timer = setTimeout(
    () => carrier.destroy(new Error(`nothing within ${peerConnectTimeoutMs} ms`)),
    peerConnectTimeoutMs,
  );
  try {
    await happened(carrier, 'connect');
    const found = await secured(carrier, incarnation, { identity, protocol });
    return found === undefined ? { kind: 'absent' } : { kind: 'connected', ...found };
  } catch (error) {
    carrier.destroy();
    if (error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED') return { kind: 'absent' };
    throw new ProxyError('peer_unreachable', 'the gateway that has the tunnel cannot be reached; try again', {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}

/** Undefined where another process of the gateways responds. */
async function secured(
  carrier: Socket,
  incarnation: string | undefined,
  { identity, protocol }: { readonly identity: PeerIdentity; readonly protocol: string },
): Promise<{ readonly socket: TLSSocket; readonly incarnation: string } | undefined> {
  let shown: string | undefined;
  const socket = connectTls({
    ...identity.secureOptions(),
    socket: carrier,
    servername: peerNameOf(incarnation ?? anyone),
    ALPNProtocols: [protocol],
    rejectUnauthorized: true,
    // Asked once the chain is verified: who it is is looked at here alone.
    checkServerIdentity: (_name, { subjectaltname }) => {
      shown = incarnationOf(subjectaltname);
      const isMeant = shown !== undefined && (incarnation === undefined || shown === incarnation);
      return isMeant ? undefined : new Error('it is another one');
    },
  });
  try {
    await happened(socket, 'secureConnect');
    if (socket.alpnProtocol !== protocol) throw new Error('it speaks another protocol');
    if (shown === undefined) throw new Error('it shows no name');
    return { socket, incarnation: shown };
  } catch (error) {
    socket.destroy();
    if (incarnation !== undefined && shown !== undefined && shown !== incarnation) return undefined;
    throw error;
  }
}

/** Rejects with what ends the socket before. */
async function happened(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  // Stays: whoever uses the socket learns its end by other events, and an error that nobody hears would end the process.
  socket.on('error', reject);
  socket.once('close', () => reject(new Error('it closed the connection')));
  socket.once(event, () => resolve(undefined));
  await promise;
}

function placeOf(address: string): { readonly host: string; readonly port: number } {
  const found = splitNumber(address, ':');
  return { host: (found?.before ?? address).replaceAll(/[[\]]/g, ''), port: Number(found?.digits ?? 0) };
}
