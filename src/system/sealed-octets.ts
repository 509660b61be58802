// Octets that are sealed: AES-256-GCM under a fresh nonce, bound to what they are for. One form: nonce, ciphertext, tag.

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const cipher = 'aes-256-gcm';
const tagBytes = 16;

/** Of AES-256. */
export const sealingKeyBytes = 32;
export const sealNonceBytes = 12;

/** `bound` has to be the same again when they are opened: what is sealed for one purpose opens for no other. */
export function sealOctets(key: Uint8Array, plain: Uint8Array, bound: string): Buffer {
  const nonce = randomBytes(sealNonceBytes);
  const sealing = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes });
  sealing.setAAD(Buffer.from(bound));
  return Buffer.concat([nonce, sealing.update(plain), sealing.final(), sealing.getAuthTag()]);
}

/** Undefined for another key, another `bound`, and whatever was changed: which of them it is cannot be known. */
export function openOctets(key: Uint8Array, sealed: Uint8Array, bound: string): Buffer | undefined {
  if (sealed.length < sealNonceBytes + tagBytes) return undefined;
  const opening = createDecipheriv(cipher, key, sealed.subarray(0, sealNonceBytes), {
    authTagLength: tagBytes,
  });
  opening.setAAD(Buffer.from(bound));
  opening.setAuthTag(sealed.subarray(-tagBytes));
  const first = opening.update(sealed.subarray(sealNonceBytes, -tagBytes));
  try {
    return Buffer.concat([first, opening.final()]);
  } catch {
    return undefined;
  } finally {
    // Before the tag was compared it is nothing that anybody may see.
    first.fill(0);
  }
}

const keyForms = [
  { form: /^[0-9A-Fa-f]{64}$/, encoding: 'hex' },
  { form: /^[A-Za-z0-9+/]{43}=?$/, encoding: 'base64' },
  { form: /^[A-Za-z0-9_-]{43}=?$/, encoding: 'base64url' },
] as const;

/** The key that a person keeps: 32 octets as base64 or hexadecimal digits; undefined for any other text: a password would be guessed. */
export function sealingKeyOf(text: string): Buffer | undefined {
  const found = keyForms.find(({ form }) => form.test(text));
  if (found === undefined) return undefined;
  const octets = Buffer.from(text, found.encoding);
  // One octet for all is what an empty volume or a careless example has.
  return octets.length === sealingKeyBytes && new Set(octets).size >= 8 ? octets : undefined;
}

/** What is told of a text that is none; nothing of the text. */
export function noSealingKey(name: string): string {
  return `${name} is not 32 random octets as base64 or hexadecimal digits: make one by "openssl rand -base64 32"`;
}
