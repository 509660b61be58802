// A root whose key signs digests, as a token or a key service does. Of RSA: for ECDSA, Node signs no digest that is made already.

import { constants, generateKeyPairSync, privateEncrypt, randomBytes, sign } from 'node:crypto';
import {
  authorityToBeSigned,
  authorityValidity,
  certificateOf,
  commonNameOf,
  extension,
  keyIdentifier,
  publicKeyInfo,
  signatureOf,
} from '../../../../src/pki/certificate-profile.ts';
import { der, derInteger, derOctetString, derOid, derSequence, derTime } from '../../../../src/pki/der.ts';
import { encodePem } from '../../../../src/pki/pem.ts';

export interface ParentRoot {
  readonly pem: string;
  /** Of SHA-256. */
  signDigest(octets: Uint8Array): Uint8Array;
  /** PEM of what a service makes of a request. */
  certify(request: Certified): string;
}

export interface Certified {
  /** DER, as all that follows. */
  readonly subject: Uint8Array;
  readonly spki: Uint8Array;
  readonly extensions: readonly Uint8Array[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** `pathLength`: how many authorities it allows below. */
export function parentRoot(nowMs: number, pathLength: 0 | 1 = 1): ParentRoot {
  const { privateKey: key } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const spki = publicKeyInfo(key);
  const keyId = keyIdentifier(spki);
  const { algorithm } = signatureOf(key);
  const issuer = { name: commonNameOf('test root'), keyId, algorithm, ...authorityValidity(nowMs) };
  const text = Buffer.from(authorityToBeSigned(issuer, { ...issuer, subject: issuer.name, spki }));
  // What we make allows none: CA:TRUE with the number in its place.
  text[text.indexOf(Buffer.from('30060101ff020100', 'hex')) + 7] = pathLength;
  return {
    pem: encodePem('CERTIFICATE', certificateOf(text, algorithm, sign('sha256', text, key))),
    signDigest: (octets) => {
      const info = derSequence(
        derSequence(derOid('2.16.840.1.101.3.4.2.1'), Uint8Array.of(0x05, 0x00)),
        derOctetString(octets),
      );
      return privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, info);
    },
    certify: ({ subject, spki: of, extensions, notBeforeMs, notAfterMs }) => {
      const written = derSequence(
        der(0xa0, derInteger(Uint8Array.of(2))),
        derInteger(randomBytes(16)),
        algorithm,
        issuer.name,
        derSequence(derTime(notBeforeMs), derTime(notAfterMs)),
        subject,
        of,
        der(0xa3, derSequence(...extensions, extension('2.5.29.35', 'plain', derSequence(der(0x80, keyId))))),
      );
      return encodePem('CERTIFICATE', certificateOf(written, algorithm, sign('sha256', written, key)));
    },
  };
}
