// A PKCS #12 store (RFC 7292) of trusted certificates: nothing in it is encrypted, for nothing in it is secret.

import { createHash, createHmac, randomBytes } from 'node:crypto';
import { der, derInteger, derOctetString, derOid, derSequence, derTag } from './der.ts';

const oid = {
  data: '1.2.840.113549.1.7.1',
  certificateBag: '1.2.840.113549.1.12.10.1.3',
  x509Certificate: '1.2.840.113549.1.9.22.1',
  friendlyName: '1.2.840.113549.1.9.20',
  /** Java's mark of a certificate that is trusted, with the purposes that it is trusted for. */
  trustedKeyUsage: '2.16.840.1.113894.746875.1.1',
  anyExtendedKeyUsage: '2.5.29.37.0',
  sha256: '2.16.840.1.101.3.4.2.1',
} as const;

/** What the JDK writes; it protects nothing here but accidents. */
const macIterations = 10_000;
const nullElement = Uint8Array.of(0x05, 0x00);

/**
 * The bytes of a store that holds the certificates (DER) as trusted ones, named `certificate-1` and so on.
 * Its MAC is by `password`, which Java wants to open it; `salt` only for tests.
 */
export function pkcs12TrustStore(
  certificates: readonly Uint8Array[],
  password: string,
  salt: Uint8Array = randomBytes(20),
): Uint8Array {
  const bags = certificates.map((certificate, index) => certificateBag(certificate, index + 1));
  const authenticatedSafe = derSequence(dataContent(derSequence(...bags)));
  const key = pkcs12MacKey(password, salt);
  const mac = createHmac('sha256', key).update(authenticatedSafe).digest();
  return derSequence(
    derInteger(Uint8Array.of(3)),
    dataContent(authenticatedSafe),
    derSequence(
      derSequence(derSequence(derOid(oid.sha256), nullElement), derOctetString(mac)),
      derOctetString(salt),
      derInteger(Uint8Array.of(macIterations >> 8, macIterations & 0xff)),
    ),
  );
}

/** ContentInfo of type data. */
function dataContent(contents: Uint8Array): Uint8Array {
  return derSequence(derOid(oid.data), der(0xa0, derOctetString(contents)));
}

function certificateBag(certificate: Uint8Array, number: number): Uint8Array {
  return derSequence(
    derOid(oid.certificateBag),
    der(0xa0, derSequence(derOid(oid.x509Certificate), der(0xa0, derOctetString(certificate)))),
    der(
      derTag.set,
      attribute(oid.friendlyName, der(derTag.bmpString, wide(`certificate-${String(number)}`))),
      attribute(oid.trustedKeyUsage, derOid(oid.anyExtendedKeyUsage)),
    ),
  );
}

function attribute(type: string, value: Uint8Array): Uint8Array {
  return derSequence(derOid(type), der(derTag.set, value));
}

/** UTF-16, high octet first. */
function wide(text: string): Buffer {
  return Buffer.from(text, 'utf16le').swap16();
}

/** RFC 7292 appendix B.2 with SHA-256, for the identifier of a MAC key: one block of it is the key. */
function pkcs12MacKey(password: string, salt: Uint8Array): Uint8Array {
  const blockBytes = 64;
  const diversifier = Buffer.alloc(blockBytes, 3);
  const parts = [salt, Buffer.concat([wide(password), Buffer.alloc(2)])].map((bytes) =>
    Buffer.alloc(Math.ceil(bytes.length / blockBytes) * blockBytes, bytes),
  );
  let block: Uint8Array = Buffer.concat([diversifier, ...parts]);
  for (let round = 0; round < macIterations; round++) block = createHash('sha256').update(block).digest();
  return block;
}
