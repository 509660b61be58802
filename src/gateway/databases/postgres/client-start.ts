// What a client of PostgreSQL does before its session begins: it may ask for encryption, in either form, and says what it wants.

import type { Duplex } from 'node:stream';
import { ProxyError } from '../../../protocol/error.ts';
import { ExactReader } from '../exact-reader.ts';
import type { EndedConnection } from '../protocol-end.ts';
import {
  type CancelKey,
  type ClientStartUp,
  readStartPacket,
  startHeadBytes,
  startPacketBytes,
  type StartPacket,
} from './start-packet.ts';

/** By which direct TLS says what is in it. */
export const postgresAlpn = 'postgresql';
/** First octet of a record of TLS: no packet is as long as a length that begins with it. */
const tlsHandshakeRecord = 0x16;

/** The client's socket by now, inside of TLS if it asked for that. */
interface Asked<What> {
  readonly socket: Duplex;
  readonly what: What;
}

export type ClientStart = Asked<
  | ClientStartUp
  | ({ readonly kind: 'cancel' } & CancelKey)
  | { readonly kind: 'silent' }
  | { readonly kind: 'refused'; readonly sqlState: string; readonly error: ProxyError }
>;

type Connection = Pick<EndedConnection, 'client' | 'host' | 'limits' | 'startDeadline' | 'terminate'>;

/** @throws ProxyError where the client cannot be told anything */
export async function startOfClient(connection: Connection): Promise<ClientStart> {
  let socket = connection.client;
  let isEncrypted = false;
  let askedForGss = false;
  for (;;) {
    const packet = await nextPacket(socket, connection);
    switch (packet.kind) {
      case 'direct-tls':
        if (isEncrypted) return refused(socket, 'TLS begins inside of TLS');
        socket = await beginTls(socket, connection, true);
        isEncrypted = true;
        break;
      case 'tls-request':
        if (isEncrypted) return refused(socket, 'TLS is asked for twice');
        if (packet.waitingBytes > 0) return refused(socket, 'something came behind the request for TLS');
        socket.write('S');
        socket = await beginTls(socket, connection, false);
        isEncrypted = true;
        break;
      case 'gss-request':
        if (askedForGss || isEncrypted) return refused(socket, 'encryption by GSSAPI is asked for again');
        if (packet.waitingBytes > 0) return refused(socket, 'something came behind the request for GSSAPI');
        askedForGss = true;
        socket.write('N');
        break;
      case 'malformed':
        return refused(socket, packet.reason);
      case 'unsupported':
        return refused(
          socket,
          `protocol ${String(packet.major)}.${String(packet.minor)} is not spoken here; 3.0 is`,
          '0A000',
        );
      case 'ended':
        return { socket, what: { kind: 'silent' } };
      case 'cancel':
      case 'start-up':
        return { socket, what: packet };
    }
  }
}

type NextPacket =
  | Exclude<StartPacket, { readonly kind: 'tls-request' | 'gss-request' }>
  | { readonly kind: 'tls-request' | 'gss-request'; readonly waitingBytes: number }
  | { readonly kind: 'direct-tls' | 'ended' };

/** Takes one packet and nothing behind it. */
async function nextPacket(socket: Duplex, { host, limits, startDeadline }: Connection): Promise<NextPacket> {
  const { databaseLoginTimeoutMs: ms } = limits;
  const error = new ProxyError(
    'timeout',
    `${host}: the client did not say within ${String(ms)} ms what it wants (databaseLoginTimeoutMs)`,
    { limit: 'databaseLoginTimeoutMs' },
  );
  const reader = new ExactReader(socket, { error, ms, start: startDeadline });
  try {
    const head = await reader.take(startHeadBytes);
    if (head === undefined) return { kind: 'ended' };
    if (head[0] === tlsHandshakeRecord) {
      socket.unshift(head);
      return { kind: 'direct-tls' };
    }
    const length = startPacketBytes(head);
    if (length === undefined)
      return { kind: 'malformed', reason: 'the first packet has a length that none can have' };
    const rest = await reader.take(length - startHeadBytes);
    if (rest === undefined) return { kind: 'malformed', reason: 'the first packet does not end' };
    const packet = readStartPacket(Buffer.concat([head, rest]));
    if (packet.kind !== 'tls-request' && packet.kind !== 'gss-request') return packet;
    return { kind: packet.kind, waitingBytes: reader.waitingBytes };
  } finally {
    await reader.release();
  }
}

/** A client that begins with TLS has to say what is in it: else another protocol could be meant (CVE-2021-3618). */
async function beginTls(socket: Duplex, connection: Connection, isDirect: boolean): Promise<Duplex> {
  const secured = await connection.terminate(socket, [postgresAlpn]);
  if (isDirect && secured.alpnProtocol !== postgresAlpn) {
    secured.destroy();
    throw new ProxyError(
      'tls_handshake',
      `${connection.host}: a client that begins with TLS has to offer the protocol ${postgresAlpn} in it (ALPN)`,
    );
  }
  return secured;
}

function refused(socket: Duplex, reason: string, sqlState = '08P01'): ClientStart {
  return {
    socket,
    what: { kind: 'refused', sqlState, error: new ProxyError('protocol_denied', reason) },
  };
}
