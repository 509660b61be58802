// The hash of a server's certificate that SCRAM binds to: tls-server-end-point (RFC 5929 §4.1).

import { createHash, type X509Certificate } from 'node:crypto';

/** Hash functions by the algorithm that signed the certificate; MD5 and SHA-1 are taken for SHA-256. */
const hashes: ReadonlyMap<string, string> = new Map([
  // md5WithRSAEncryption, sha1WithRSAEncryption, ecdsa-with-SHA1
  ['1.2.840.113549.1.1.4', 'sha256'],
  ['1.2.840.113549.1.1.5', 'sha256'],
  ['1.2.840.10045.4.1', 'sha256'],
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
]);

/** Undefined: the standard names no hash for such a signature (Ed25519, RSA-PSS), so that nothing can be bound. */
export function serverEndPoint({
  raw,
  signatureAlgorithmOid,
}: Pick<X509Certificate, 'raw' | 'signatureAlgorithmOid'>): Uint8Array | undefined {
  const hash = hashes.get(signatureAlgorithmOid);
  return hash === undefined ? undefined : createHash(hash).update(raw).digest();
}
