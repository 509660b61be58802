// The key of AWS Signature Version 4A: a private key on P-256 that is made from the secret access key (NIST SP 800-108, counter mode).

import { createECDH, createHmac, createPrivateKey, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { ProxyError } from '../../../protocol/error.ts';
import type { Secret } from '../../../protocol/secret.ts';

export const asymmetricAlgorithm = 'AWS4-ECDSA-P256-SHA256';

/** Order of P-256, less 2: what is above is tried again. */
const candidateMax = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc63254fn;
const keyBits = 256;
const keyBytes = keyBits / 8;
/** One in four billion is above, so that a second one is never seen. */
const counterMax = 254;

/** The keys of AWS, as far as the key is made of them. */
interface KeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret<string>;
}

/** A set of keys is one object for as long as it lasts: making a key costs more than signing with it. */
const made = new WeakMap<KeyPair, KeyObject>();

/** The signature over the text, in hexadecimal DER, whose length differs from one to the next. */
export function asymmetricSignature(keys: KeyPair, text: string): string {
  return sign('sha256', Buffer.from(text, 'latin1'), asymmetricKey(keys)).toString('hex');
}

/** @throws ProxyError credential_unavailable, of which nobody has ever heard */
export function asymmetricKey(keys: KeyPair): KeyObject {
  const known = made.get(keys);
  if (known !== undefined) return known;
  for (let counter = 1; counter <= counterMax; counter += 1) {
    const candidate = BigInt(`0x${candidateOf(keys, counter).toString('hex')}`);
    if (candidate > candidateMax) continue;
    const key = keyOf(candidate + 1n);
    made.set(keys, key);
    return key;
  }
  throw new ProxyError('credential_unavailable', 'no key for SigV4A can be made from the secret access key');
}

function candidateOf({ accessKeyId, secretAccessKey }: KeyPair, counter: number): Buffer {
  const block = Buffer.alloc(4);
  block.writeUInt32BE(1);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(keyBits);
  return createHmac('sha256', `AWS4A${secretAccessKey.reveal()}`)
    .update(block)
    .update(`${asymmetricAlgorithm}\0${accessKeyId}`)
    .update(Buffer.from([counter]))
    .update(length)
    .digest();
}

function keyOf(number: bigint): KeyObject {
  const d = Buffer.from(number.toString(16).padStart(2 * keyBytes, '0'), 'hex');
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(d);
  const point = curve.getPublicKey();
  const part = (bytes: Buffer): string => bytes.toString('base64url');
  return createPrivateKey({
    format: 'jwk',
    key: {
      kty: 'EC',
      crv: 'P-256',
      x: part(point.subarray(1, 1 + keyBytes)),
      y: part(point.subarray(1 + keyBytes)),
      d: part(d),
    },
  });
}
