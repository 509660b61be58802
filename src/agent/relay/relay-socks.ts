// A client of the relay that speaks SOCKS5 (RFC 1928): no log-in, as for CONNECT, and names go to the gateway as names.

import type { Socket } from 'node:net';
import type { Authority } from '../../http/destination.ts';
import { SocksServer, type SocksStep, socksReply } from '../../http/socks-server.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';

export const socksVersion = 5;
export const socksEstablished: Uint8Array = socksReply('succeeded');

/** A reply of RFC 1928 for what the gateway or the way to it says. */
export function socksRefusal({ code }: ProxyError): Uint8Array {
  if (code === 'policy_denied' || code === 'address_denied') return socksReply('notAllowed');
  return socksReply(code === 'name_not_found' ? 'hostUnreachable' : 'failed');
}

export interface SocksRequest {
  readonly authority: Authority;
  /** What the client sent along with its request. */
  readonly rest: Buffer;
}

/**
 * Reads the conversation up to its request, from `first` on, and leaves the socket paused. Throws `timeout`, `cancelled`, and
 * `request_malformed` or `authority_malformed` behind the reply that says so.
 */
export async function readSocksRequest(socket: Socket, first: Buffer, limits: Limits): Promise<SocksRequest> {
  const server = new SocksServer(false);
  const { promise, resolve, reject } = Promise.withResolvers<SocksRequest>();
  const take = ({ reply, outcome }: SocksStep): void => {
    if (reply.length > 0) socket.write(reply);
    if (outcome.kind === 'refused') reject(outcome.error);
    if (outcome.kind !== 'connect') return;
    socket.pause();
    resolve({ authority: outcome.authority, rest: Buffer.from(outcome.rest) });
  };
  const onData = (chunk: Buffer): void => take(server.push(chunk));
  const onEnd = (): void =>
    reject(new ProxyError('cancelled', 'the client ended inside of its SOCKS request'));
  const late = new ProxyError('timeout', `no SOCKS request within ${limits.headTimeoutMs} ms`);
  const timer = setTimeout(() => reject(late), limits.headTimeoutMs);
  socket.on('data', onData).once('end', onEnd).once('close', onEnd);
  take(server.push(first));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.off('data', onData).off('end', onEnd).off('close', onEnd);
  }
}
