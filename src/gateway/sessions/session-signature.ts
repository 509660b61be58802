// What the key of a session signed, beside its proofs: texts with a context of their own.

import { createPublicKey, verify } from 'node:crypto';
import type { SessionPublicKey } from './dpop-proof.ts';

/** Whether the session's key signed the text. Never throws: a signature that is none is not that. */
export function verifierOf(jwk: SessionPublicKey): (text: Uint8Array, signature: Uint8Array) => boolean {
  const key = createPublicKey({ key: { ...jwk }, format: 'jwk' });
  if (jwk.crv === 'Ed25519') return (text, signature) => verify(null, text, key, signature);
  return (text, signature) => verify('sha256', text, { key, dsaEncoding: 'ieee-p1363' }, signature);
}
