// `client_ed25519` of MariaDB: a signature of Ed25519 whose key is the hash of a password of any length, where RFC 8032 has one of 32 octets,
// so that no key of OpenSSL can be made of it. The points are OpenSSL's, by X25519, which is the same curve and says one coordinate of them.
// Of the other one the sign is missing: each choice is tried, and OpenSSL verifies which one is right.

import { createHash, createPrivateKey, createPublicKey, randomBytes, verify } from 'node:crypto';

export const ed25519NonceBytes = 32;
const scalarBytes = 32;
const prime = 2n ** 255n - 19n;
/** Of the points that there are multiples of. */
const order = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;
const signBit = 0x80;

/** How keys stand in front of 32 octets (RFC 8410). */
const x25519Private = Buffer.from('302e020100300506032b656e04220420', 'hex');
const ed25519Public = Buffer.from('302a300506032b6570032100', 'hex');

/** @param random 32 octets nobody knows, other ones each time */
export function ed25519Proof(
  password: string,
  nonce: Uint8Array,
  random: Uint8Array = randomBytes(scalarBytes),
): Uint8Array {
  const message = nonce.subarray(0, ed25519NonceBytes);
  const secret = clamped(createHash('sha512').update(password, 'utf8').digest().subarray(0, scalarBytes));
  const once = clamped(random);
  for (const key of bothSigns(pointOf(secret)))
    for (const point of bothSigns(pointOf(once))) {
      const hash = createHash('sha512').update(point).update(key).update(message).digest();
      const sum = (toNumber(once) + (toNumber(hash) % order) * (toNumber(secret) % order)) % order;
      const proof = Buffer.concat([point, toOctets(sum)]);
      if (isVerified(key, message, proof)) return proof;
    }
  throw new Error('no sign of the points makes a signature');
}

function isVerified(key: Uint8Array, message: Uint8Array, proof: Uint8Array): boolean {
  const der = Buffer.concat([ed25519Public, key]);
  return verify(null, message, createPublicKey({ key: der, format: 'der', type: 'spki' }), proof);
}

/** RFC 7748 §5: so that it is a multiple of eight of one length. */
function clamped(octets: Uint8Array): Uint8Array {
  const scalar = Uint8Array.from(octets);
  scalar[0] = (scalar[0] ?? 0) & 0xf8;
  scalar[31] = ((scalar[31] ?? 0) & 0x7f) | 0x40;
  return scalar;
}

/** As Ed25519 writes it (RFC 8032 §5.1.2), without the sign. */
function pointOf(scalar: Uint8Array): Uint8Array {
  const key = createPrivateKey({
    key: Buffer.concat([x25519Private, scalar]),
    format: 'der',
    type: 'pkcs8',
  });
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' });
  const u = toNumber(Buffer.from(x, 'base64url'));
  // RFC 7748 §4.1, of the one coordinate that stands in a point of Ed25519.
  return toOctets((((u - 1n + prime) % prime) * inverse(u + 1n)) % prime);
}

function bothSigns(point: Uint8Array): readonly Uint8Array[] {
  const other = Uint8Array.from(point);
  other[31] = (other[31] ?? 0) | signBit;
  return [point, other];
}

/** By Fermat: the number is public. */
function inverse(number: bigint): bigint {
  let result = 1n;
  let base = number % prime;
  for (let left = prime - 2n; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * base) % prime;
    base = (base * base) % prime;
  }
  return result;
}

function toNumber(octets: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(octets.toReversed()).toString('hex')}`);
}

function toOctets(number: bigint): Uint8Array {
  return Buffer.from(number.toString(16).padStart(2 * scalarBytes, '0'), 'hex').toReversed();
}
