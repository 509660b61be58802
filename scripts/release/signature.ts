// Signatures of a release: ECDSA with P-256 and SHA-256, which cosign, openssl and this program verify.

import { createPrivateKey, createPublicKey, hash, type KeyObject, sign } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';

const groupAndOthers = 0o077;
const payloadType = 'application/vnd.in-toto+json';
const bundleType = 'application/vnd.dev.sigstore.bundle.v0.3+json';

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

/** The statement in a DSSE envelope, as JSON. */
export function signedStatement(statement: Buffer, key: KeyObject): string {
  return `${JSON.stringify(envelopeOf(statement, key))}\n`;
}

/** A Sigstore bundle of a file: its digest, and its signature by a key that whoever verifies has. There is no entry of a log in it. */
export function fileBundle(bytes: Buffer, key: KeyObject): string {
  const messageDigest = { algorithm: 'SHA2_256', digest: hash('sha256', bytes, 'base64') };
  const signature = sign('sha256', bytes, key).toString('base64');
  return bundle({ messageSignature: { messageDigest, signature } }, key);
}

/** A Sigstore bundle of the statement, in its envelope. */
export function statementBundle(statement: Buffer, key: KeyObject): string {
  return bundle({ dsseEnvelope: envelopeOf(statement, key) }, key);
}

function envelopeOf(statement: Buffer, key: KeyObject): object {
  // The pre-authentication encoding of DSSE v1.
  const signed = Buffer.concat([
    Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${statement.length} `),
    statement,
  ]);
  const signature = { keyid: '', sig: sign('sha256', signed, key).toString('base64') };
  return { payloadType, payload: statement.toString('base64'), signatures: [signature] };
}

function bundle(content: object, key: KeyObject): string {
  const hint = Buffer.from(keyFingerprint(key), 'hex').toString('base64');
  const verificationMaterial = { publicKey: { hint }, tlogEntries: [] };
  return `${JSON.stringify({ mediaType: bundleType, verificationMaterial, ...content })}\n`;
}

/** Of the public half, for people who compare: SHA-256 of its DER form. */
export function keyFingerprint(key: KeyObject): string {
  return hash('sha256', createPublicKey(key).export({ type: 'spki', format: 'der' }));
}
