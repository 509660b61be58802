// SOCKS5 (RFC 1928) and its log-in by name and password (RFC 1929) as a client speaks it, on a connection that stands.

import type { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { isAddressLiteral } from '../http/authority.ts';
import type { Authority } from '../http/destination.ts';
import { parseIpv4, parseIpv6 } from '../http/ip-address.ts';
import type { Secret } from '../protocol/secret.ts';

export interface SocksRequest {
  readonly target: Authority;
  /** `user:password`: then nothing else is offered, so that a proxy which asks for none is no surprise. */
  readonly secret: Secret<string> | undefined;
  /** What is thrown where the proxy does not do what it is asked. */
  readonly fault: (what: string, cause?: unknown) => Error;
}

const noLogIn = 0;
const byPassword = 2;

/** Leaves what follows the reply in the socket. Throws what `fault` makes. */
export async function askSocks(socket: Socket, { target, secret, fault }: SocksRequest): Promise<void> {
  const method = secret === undefined ? noLogIn : byPassword;
  const read = async (bytes: number): Promise<Uint8Array> => {
    try {
      return await readExactly(socket, bytes);
    } catch (cause) {
      throw fault('cannot be reached', cause);
    }
  };
  socket.write(Uint8Array.of(5, 1, method));
  const [version, chosen] = await read(2);
  if (version !== 5) throw fault('did not respond with SOCKS5');
  if (chosen === 0xff) throw fault(refusedLogIn(secret));
  if (chosen !== method) throw fault('chose a way to log in that was not offered');
  if (secret !== undefined) await logIn(socket, secret, { read, fault });
  socket.write(connectRequest(target, fault));
  await readReply(read, fault);
}

function refusedLogIn(secret: Secret<string> | undefined): string {
  return secret === undefined ? 'wants a name and a password' : 'takes no name and password';
}

interface Conversation {
  readonly read: (bytes: number) => Promise<Uint8Array>;
  readonly fault: SocksRequest['fault'];
}

async function logIn(socket: Socket, secret: Secret<string>, { read, fault }: Conversation): Promise<void> {
  const text = secret.reveal();
  const colon = text.indexOf(':');
  const name = new TextEncoder().encode(text.slice(0, colon));
  const password = new TextEncoder().encode(text.slice(colon + 1));
  if (name.length === 0 || name.length > 255 || password.length === 0 || password.length > 255)
    throw fault('cannot be told the name or the password, which SOCKS5 bounds to 255 octets');
  socket.write(Uint8Array.of(1, name.length, ...name, password.length, ...password));
  const [version, status] = await read(2);
  if (version !== 1 || status !== 0) throw fault("does not accept the gateway's credentials");
}

function connectRequest({ host, port }: Authority, fault: SocksRequest['fault']): Uint8Array {
  const address = addressOf(host, fault);
  return Uint8Array.of(5, 1, 0, ...address, port >> 8, port & 0xff);
}

function addressOf(host: string, fault: SocksRequest['fault']): readonly number[] {
  const quad = parseIpv4(host);
  if (quad !== undefined) return [1, quad >>> 24, (quad >>> 16) & 0xff, (quad >>> 8) & 0xff, quad & 0xff];
  const groups = isAddressLiteral(host) === 6 ? parseIpv6(host) : undefined;
  if (groups !== undefined) return [4, ...groups.flatMap((group) => [group >> 8, group & 0xff])];
  const name = new TextEncoder().encode(host);
  if (name.length === 0 || name.length > 255) throw fault('cannot be asked for a name of that length');
  return [3, name.length, ...name];
}

async function readReply(read: Conversation['read'], fault: SocksRequest['fault']): Promise<void> {
  const [version, reply = 0xff, reserved, kind] = await read(4);
  if (version !== 5 || reserved !== 0) throw fault('did not respond with SOCKS5');
  // What follows the head of a refusal says nothing that counts.
  if (reply !== 0) throw fault(refusals[reply] ?? `refused the connection (${String(reply)})`);
  switch (kind) {
    case 1:
      await read(4 + 2);
      return;
    case 4:
      await read(16 + 2);
      return;
    case 3: {
      const [length = 0] = await read(1);
      await read(length + 2);
      return;
    }
    default:
      throw fault('did not respond with SOCKS5');
  }
}

/** RFC 1928 §6. */
const refusals: Readonly<Record<number, string>> = {
  1: 'failed (1)',
  2: 'does not allow this destination (2)',
  3: 'cannot reach the network of the destination (3)',
  4: 'cannot reach the destination (4)',
  5: 'was refused by the destination (5)',
  6: 'cannot reach the destination in time (6)',
  7: 'does not open connections (7)',
  8: 'does not take this type of address (8)',
};

/** From a paused socket, and not one octet more. One listener for the whole wait: each new one would be told at once of what is there. */
async function readExactly(socket: Socket, bytes: number): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const onReadable = (): void => {
    // A paused socket gives Buffers: no encoding is set.
    const chunk = socket.read(bytes) as Buffer | null;
    if (chunk === null) return;
    // The rest of a stream that has ended comes short.
    if (chunk.length < bytes) onEnd();
    else resolve(chunk);
  };
  const onEnd = (): void => reject(new Error('the connection ended'));
  socket.on('readable', onReadable).once('end', onEnd).once('close', onEnd);
  if (socket.destroyed) onEnd();
  else onReadable();
  try {
    return await promise;
  } finally {
    socket.off('readable', onReadable).off('end', onEnd).off('close', onEnd);
  }
}
