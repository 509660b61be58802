// Signatures of a release: ECDSA with P-256 and SHA-256, which cosign, openssl and this program verify.

import { createPrivateKey, createPublicKey, hash, type KeyObject, sign } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';

const groupAndOthers = 0o077;
const payloadType = 'application/vnd.in-toto+json';

/** @throws Error for a file that others may read, and for another kind of key */
export function readSigningKey(file: string): KeyObject {
  if ((statSync(file).mode & groupAndOthers) !== 0)
    throw new Error(`${file}: others may read it; chmod 600 it, and think of who has read it`);
  const key = createPrivateKey(readFileSync(file));
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new Error(`${file}: it is no key for ECDSA with P-256`);
  return key;
}

/** As cosign writes it: base64 of the DER form. */
export function detachedSignature(bytes: Buffer, key: KeyObject): string {
  return `${sign('sha256', bytes, key).toString('base64')}\n`;
}

/** The statement in a DSSE envelope. */
export function signedStatement(statement: Buffer, key: KeyObject): string {
  // The pre-authentication encoding of DSSE v1.
  const signed = Buffer.concat([
    Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${statement.length} `),
    statement,
  ]);
  const signature = { keyid: '', sig: sign('sha256', signed, key).toString('base64') };
  return `${JSON.stringify({ payloadType, payload: statement.toString('base64'), signatures: [signature] })}\n`;
}

/** Of the public half, for people who compare: SHA-256 of its DER form. */
export function keyFingerprint(key: KeyObject): string {
  return hash('sha256', createPublicKey(key).export({ type: 'spki', format: 'der' }));
}
