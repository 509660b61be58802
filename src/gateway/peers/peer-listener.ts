// The port at which other gateways lead agents to tunnels that are here.

import type { AddressInfo, Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';
import { readPassedStart } from '../tunnels/passed-start.ts';
import type { SplicedUpgrade } from '../tunnels/tunnel-server.ts';
import {
  changesProtocol,
  incarnationOf,
  type PeerIdentity,
  peerProtocol,
  proofsProtocol,
  startProtocol,
} from './peer-identity.ts';
import { parseSplicedFacts } from './spliced-upgrade.ts';

/** Its own certificate is made anew long before its end, and when another authority signs. */
const renewalIntervalMs = 15_000;
const leafUseMs = 24 * 3_600_000;
const noSecret = new Uint8Array();

export interface PeerListenerOptions {
  readonly identity: PeerIdentity;
  readonly listen: { readonly address: string; readonly port: number };
  readonly limits: Limits;
  readonly clock: () => number;
  readonly take: (upgrade: SplicedUpgrade) => void;
  /** Another gateway follows what ends here. */
  readonly follow: (socket: TLSSocket, incarnation: string) => Promise<void>;
  /** Another gateway starts, and asks for what it has to know. */
  readonly start: (socket: TLSSocket, incarnation: string) => Promise<void>;
  /** Another gateway was shown proofs with nonces of this one. */
  readonly proofs: (socket: TLSSocket) => Promise<void>;
  readonly onFault: (error: ProxyError) => void;
}

export interface PeerListener extends AsyncDisposable {
  readonly port: number;
}

/** Listens. Only who has a certificate of the peers' authority is listened to. @throws ProxyError gateway_port_unusable */
export async function listenForPeers(options: PeerListenerOptions): Promise<PeerListener> {
  const { identity, listen, limits, clock, onFault } = options;
  const server = createServer({
    ...identity.secureOptions(),
    requestCert: true,
    rejectUnauthorized: true,
    ALPNProtocols: [peerProtocol, changesProtocol, startProtocol, proofsProtocol],
    handshakeTimeout: limits.handshakeTimeoutMs,
    allowHalfOpen: true,
    noDelay: true,
  });
  server.maxConnections = limits.peerConnectionsMax;
  // From before their handshakes: one that is never finished would keep the server open.
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('secureConnection', (socket) => void take(socket, options));
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  const port = await listening(server, listen);
  server.on('error', (error) => onFault(asProxyError(error)));
  let signer = identity.signerPem;
  let untilMs = clock() + leafUseMs;
  const renewal = new RepeatedLook({
    look: () => {
      if (identity.signerPem === signer && clock() < untilMs) return;
      server.setSecureContext(identity.secureOptions());
      signer = identity.signerPem;
      untilMs = clock() + leafUseMs;
    },
    intervalMs: renewalIntervalMs,
    onFault,
  });
  renewal.start();
  // Others show certificates of the next one as soon as they have taken it.
  identity.onChange(() => void renewal.now());
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      await renewal.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function take(
  socket: TLSSocket,
  { take: serve, follow, start, proofs }: PeerListenerOptions,
): Promise<void> {
  socket.on('error', () => socket.destroy());
  const peer = socket.authorized ? incarnationOf(socket.getPeerCertificate().subjectaltname) : undefined;
  if (peer !== undefined && socket.alpnProtocol === changesProtocol) return await follow(socket, peer);
  if (peer !== undefined && socket.alpnProtocol === startProtocol) return await start(socket, peer);
  if (peer !== undefined && socket.alpnProtocol === proofsProtocol) return await proofs(socket);
  if (peer === undefined || socket.alpnProtocol !== peerProtocol) return void socket.destroy();
  const timer = setTimeout(() => socket.destroy(), defaultLimits.peerReplyTimeoutMs);
  try {
    const read = await readPassedStart(socket, noSecret);
    const facts = read === undefined ? undefined : parseSplicedFacts(read.facts.toString('utf8'));
    if (read === undefined || facts === undefined) return void socket.destroy();
    const { session, method, httpVersion, headers, isEncrypted, exporter } = facts;
    // Whether the link of the agent is encrypted, not that of the gateways.
    if (!isEncrypted) Object.defineProperty(socket, 'encrypted', { value: false });
    serve({
      session,
      request: { method, httpVersion, headers },
      socket,
      head: read.head,
      exporter: exporter === undefined ? undefined : Buffer.from(exporter, 'base64'),
    });
  } catch {
    socket.destroy();
  } finally {
    clearTimeout(timer);
  }
}

async function listening(
  server: ReturnType<typeof createServer>,
  { address, port }: PeerListenerOptions['listen'],
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  server.once('error', reject);
  server.listen({ host: address, port }, () => resolve(undefined));
  try {
    await promise;
    // A TCP server that listens has a port.
    return (server.address() as AddressInfo).port;
  } catch (error) {
    const reason = asProxyError(error).message;
    const message = `the gateway cannot listen for others on ${address}:${port}: ${reason}`;
    throw new ProxyError('gateway_port_unusable', message, { cause: error });
  } finally {
    server.off('error', reject);
  }
}
