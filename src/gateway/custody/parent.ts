// The authority above the one that signs leaves: its key is where no gateway can read it, and signs an intermediate now and then.

import { createHash, type KeyObject, verify, X509Certificate } from 'node:crypto';
import { constraintsOf, subjectOf } from '../../pki/certificate-authority.ts';
import { readCertificate } from '../../pki/certificate-fields.ts';
import {
  authorityToBeSigned,
  certificateOf,
  extension,
  keyIdentifier,
  leafPurposes,
  publicKeyInfo,
  signatureOf,
} from '../../pki/certificate-profile.ts';
import { derOid, derSequence } from '../../pki/der.ts';
import { encodePem, pemContents } from '../../pki/pem.ts';
import { ProxyError } from '../../protocol/error.ts';

export interface CertifyRequest {
  /** Of the intermediate. */
  readonly key: KeyObject;
  /** PEM of the authorities above. The first is that of the key that signs, where digests are signed. */
  readonly above: readonly string[];
  readonly names: readonly string[];
  readonly lifetimeMs: number;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

export interface Parent {
  /** For messages. */
  readonly label: string;
  /** PEM of an intermediate for the key, and what comes along with it. Throws ProxyError. */
  certify(request: CertifyRequest): Promise<readonly string[]>;
}

export type DigestName = 'sha256' | 'sha384';

export interface Digest {
  readonly name: DigestName;
  readonly octets: Uint8Array;
  readonly keyType: 'ec' | 'rsa';
  readonly signal: AbortSignal;
}

/** Signs digests, and knows nothing of certificates: DER of ECDSA, or PKCS #1 v1.5. */
export type SignDigest = (digest: Digest) => Promise<Uint8Array>;

/** For a container whose clock is behind. */
const backdateMs = 3_600_000;

/** A parent that is a key which signs digests: the certificate is written here, and its signature checked by the certificate of that key. */
export function digestParent(label: string, signDigest: SignDigest): Parent {
  return {
    label,
    certify: async ({ key, above, names, lifetimeMs, nowMs, signal }) => {
      const [own = ''] = above;
      const publicKey = parentKey(own, label);
      const fields = readCertificate(pemContents(own));
      const { algorithm, digest: name } = signatureOf(publicKey);
      const issuer = {
        name: fields.subject,
        keyId: fields.subjectKeyId ?? keyIdentifier(fields.publicKeyInfo),
        algorithm,
        notBeforeMs: fields.notBeforeMs,
        notAfterMs: fields.notAfterMs,
      };
      const spki = publicKeyInfo(key);
      const request = {
        subject: subjectOf(key),
        spki,
        keyId: keyIdentifier(spki),
        notBeforeMs: Math.max(fields.notBeforeMs, nowMs - backdateMs),
        notAfterMs: Math.min(fields.notAfterMs, nowMs + lifetimeMs),
      };
      const purposes = extension(
        '2.5.29.37',
        'plain',
        derSequence(...leafPurposes.server.map((oid) => derOid(oid))),
      );
      const text = authorityToBeSigned(issuer, request, [purposes, ...constraintsOf(names)]);
      const signature = await signDigest({
        // Both of `signatureOf`.
        name: name as DigestName,
        octets: createHash(name).update(text).digest(),
        keyType: publicKey.asymmetricKeyType === 'rsa' ? 'rsa' : 'ec',
        signal,
      });
      if (!verify(name, text, publicKey, signature))
        throw new ProxyError(
          'ca_key_unusable',
          `its signature is not that of the first certificate of certificateAuthority.signedBy.certificates: is it of another key?`,
        );
      return [encodePem('CERTIFICATE', certificateOf(text, algorithm, signature))];
    },
  };
}

function parentKey(pem: string, label: string): KeyObject {
  if (pem === '')
    throw new ProxyError(
      'ca_key_unusable',
      `certificateAuthority.signedBy.certificates has no certificate for ${label}`,
    );
  return new X509Certificate(pem).publicKey;
}
