// PROXY protocol version 2: what a balancer of layer 4 says before the first byte of its client.
// https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt §2.2. Version 1, which is text, is not taken.

import type { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { formatIpv4, formatIpv6 } from '../http/ip-address.ts';
import { ProxyError } from '../protocol/error.ts';
import { defaultLimits } from '../protocol/limits.ts';

const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
const headBytes = 16;

export type ProxyProtocolHead =
  | { readonly state: 'incomplete'; readonly wantedBytes: number }
  /** `address` is undefined for a connection of the balancer itself (LOCAL), or of another family. */
  | { readonly state: 'complete'; readonly bytes: number; readonly address: string | undefined };

/** Reads the head from all bytes so far. Throws `request_malformed` for what is none. */
export function parseProxyProtocol(bytes: Uint8Array): ProxyProtocolHead {
  for (const [i, byte] of signature.entries()) {
    if (i < bytes.length && bytes[i] !== byte)
      throw malformed('it does not begin with the signature of version 2');
  }
  if (bytes.length < headBytes) return { state: 'incomplete', wantedBytes: headBytes };
  const [version = 0, family = 0, high = 0, low = 0] = bytes.subarray(12, headBytes);
  const command = version & 0x0f;
  if (version >> 4 !== 2 || command > 1) throw malformed('its version or command is unknown');
  const length = high * 256 + low;
  if (length > defaultLimits.proxyProtocolBytesMax)
    throw malformed(`it is longer than ${defaultLimits.proxyProtocolBytesMax} bytes`);
  const end = headBytes + length;
  if (bytes.length < end) return { state: 'incomplete', wantedBytes: end };
  const address = command === 0 ? undefined : sourceOf(family >> 4, bytes.subarray(headBytes, end));
  return { state: 'complete', bytes: end, address };
}

function sourceOf(family: number, body: Uint8Array): string | undefined {
  if (family === 1) {
    if (body.length < 12) throw malformed('it has no whole IPv4 addresses');
    return formatIpv4(body.subarray(0, 4).reduce((sum, octet) => sum * 256 + octet, 0));
  }
  if (family !== 2) return undefined;
  if (body.length < 36) throw malformed('it has no whole IPv6 addresses');
  return formatIpv6(Array.from({ length: 8 }, (_, i) => (body[2 * i] ?? 0) * 256 + (body[2 * i + 1] ?? 0)));
}

/**
 * Takes the head from a socket on which nothing was read yet, and leaves what follows it there to be read. Throws `request_malformed`,
 * `timeout`, or `cancelled` if the connection ends before.
 */
export async function readProxyProtocol(socket: Socket, timeoutMs: number): Promise<string | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  let head: Buffer | undefined;
  const onReadable = (): void => {
    try {
      for (;;) {
        const parsed = head === undefined ? undefined : parseProxyProtocol(head);
        if (parsed?.state === 'complete') return resolve(parsed.address);
        const missing = (parsed?.wantedBytes ?? headBytes) - (head?.length ?? 0);
        // No encoding is set, so that bytes come.
        const next = socket.read(missing) as Buffer | null;
        if (next === null) return;
        head = head === undefined ? next : concat(head, next);
      }
    } catch (error) {
      reject(error instanceof Error ? error : new ProxyError('internal', 'the PROXY head cannot be read'));
    }
  };
  const onEnd = (): void => reject(new ProxyError('cancelled', 'the connection ended in the PROXY head'));
  const timer = setTimeout(() => reject(new ProxyError('timeout', 'no PROXY head came in time')), timeoutMs);
  socket.on('readable', onReadable).once('end', onEnd).once('close', onEnd);
  onReadable();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.off('readable', onReadable).off('end', onEnd).off('close', onEnd);
  }
}

function concat(first: Buffer, second: Buffer): Buffer {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  // The same bytes under the type that sockets give.
  return globalThis.Buffer.from(whole.buffer);
}

function malformed(reason: string): ProxyError {
  return new ProxyError('request_malformed', `The PROXY head of the connection is refused: ${reason}.`);
}
