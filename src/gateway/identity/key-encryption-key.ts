// The key-encryption key of an identity in the store: 32 octets that are not in the store, by which the data key of a version is wrapped.

import { createHmac, hkdfSync } from 'node:crypto';
import {
  openOctets,
  sealingKeyBytes,
  sealingKeyOf,
  sealNonceBytes,
  sealOctets,
} from '../../system/sealed-octets.ts';

export const keyBytes = sealingKeyBytes;

/** Ciphertext with its tag, base64 both. */
export interface Sealed {
  readonly nonce: string;
  readonly data: string;
}

/** `bound` has to be the same again when it is opened. */
export function seal(key: Uint8Array, plain: Uint8Array, bound: string): Sealed {
  const sealed = sealOctets(key, plain, bound);
  return {
    nonce: sealed.toString('base64', 0, sealNonceBytes),
    data: sealed.toString('base64', sealNonceBytes),
  };
}

/** Undefined for another key, another `bound`, and whatever was changed. */
export function unseal(key: Uint8Array, { nonce, data }: Sealed, bound: string): Buffer | undefined {
  const [first, rest] = [Buffer.from(nonce, 'base64'), Buffer.from(data, 'base64')];
  return first.length === sealNonceBytes ? openOctets(key, Buffer.concat([first, rest]), bound) : undefined;
}

export interface KeyEncryptionKey {
  /** Says which key it is, and nothing of it. */
  readonly id: string;
  wrap(dataKey: Uint8Array, bound: string): Sealed;
  /** Undefined for what was not wrapped by it so. */
  unwrap(wrapped: Sealed, bound: string): Buffer | undefined;
}

/** Undefined for a text that is no key. */
export function keyEncryptionKeyOf(text: string): KeyEncryptionKey | undefined {
  const octets = sealingKeyOf(text);
  if (octets === undefined) return undefined;
  const id = createHmac('sha256', octets).update('upstreamproxy identity key 1').digest('hex').slice(0, 16);
  // Where the same key serves something else too, nothing of that opens here.
  const wrapping = Buffer.from(hkdfSync('sha256', octets, '', 'upstreamproxy identity wrap 1', keyBytes));
  octets.fill(0);
  return {
    id,
    wrap: (dataKey, bound) => seal(wrapping, dataKey, bound),
    unwrap: (wrapped, bound) => unseal(wrapping, wrapped, bound),
  };
}
