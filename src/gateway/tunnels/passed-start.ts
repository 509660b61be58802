// What stands before the octets of a tunnel that one process leads to another: a length, and facts of the upgrade as JSON.

import { Buffer } from 'node:buffer';
import { timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { defaultLimits } from '../../protocol/limits.ts';

const lengthBytes = 4;

export function encodePassedStart(secret: Uint8Array, facts: object, head: Uint8Array): Buffer {
  const text = Buffer.from(JSON.stringify(facts));
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32BE(text.length);
  return Buffer.concat([secret, length, text, head]);
}

/** Undefined if it does not begin with the secret, is too long, or is cut off. */
export async function readPassedStart(
  socket: Socket,
  secret: Uint8Array,
): Promise<{ readonly facts: Buffer; readonly head: Buffer } | undefined> {
  let bytes = Buffer.alloc(0);
  // It gives Buffers: no encoding is set on it.
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes = Buffer.concat([bytes, chunk]);
    const known = Math.min(bytes.length, secret.length);
    if (!timingSafeEqual(bytes.subarray(0, known), secret.subarray(0, known))) return undefined;
    const start = secret.length + lengthBytes;
    if (bytes.length < start) continue;
    const length = bytes.readUInt32BE(secret.length);
    if (length > defaultLimits.passedUpgradeBytesMax) return undefined;
    if (bytes.length < start + length) continue;
    return { facts: bytes.subarray(start, start + length), head: bytes.subarray(start + length) };
  }
  return undefined;
}
