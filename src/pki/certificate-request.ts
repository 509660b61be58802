// A request for the certificate of an authority (PKCS #10, RFC 2986), which somebody with the key of a root signs.

import { type KeyObject, sign } from 'node:crypto';
import { der, derBitString, derInteger, derOctetString, derOid, derSequence, derTag } from './der.ts';
import {
  authorityExtensions,
  extension,
  keyIdentifier,
  leafPurposes,
  publicKeyInfo,
  signatureOf,
} from './certificate-profile.ts';
import { constraintsOf, type RootOptions, subjectOf } from './certificate-authority.ts';
import { encodePem } from './pem.ts';

/** What a root that copies extensions has to sign; one that does not says them itself. */
export function authorityRequest(key: KeyObject, { commonName, names = [] }: RootOptions = {}): string {
  const spki = publicKeyInfo(key);
  const { algorithm, digest } = signatureOf(key);
  const extensions = derSequence(
    ...authorityExtensions(),
    extension('2.5.29.37', 'plain', derSequence(...leafPurposes.server.map((oid) => derOid(oid)))),
    extension('2.5.29.14', 'plain', derOctetString(keyIdentifier(spki))),
    ...constraintsOf(names),
  );
  // extensionRequest (RFC 2985 §5.4.2).
  const attribute = derSequence(derOid('1.2.840.113549.1.9.14'), der(derTag.set, extensions));
  const info = derSequence(
    derInteger(Uint8Array.of(0)),
    subjectOf(key, commonName),
    spki,
    der(0xa0, attribute),
  );
  const signature = derBitString(sign(digest, info, key));
  return encodePem('CERTIFICATE REQUEST', derSequence(info, algorithm, signature));
}
