// A Java key store (JKS) of trusted certificates, written without keytool. The form is that of the JDK's JavaKeyStore.

import { createHash } from 'node:crypto';

const magic = 0xfeedfeed;
const version = 2;
const trustedCertificate = 2;

/**
 * The bytes of a JKS that holds the certificates (DER) as trusted ones, named `certificate-1` and so on. Java checks
 * its integrity with the password, which is no secret. `timeMs` is the date that is shown for the entries.
 */
export function javaKeyStore(
  certificates: readonly Uint8Array[],
  password: string,
  timeMs: number,
): Uint8Array {
  const entries = certificates.map((certificate, index) =>
    Buffer.concat([
      unsigned32(trustedCertificate),
      shortText(`certificate-${String(index + 1)}`),
      unsigned64(timeMs),
      shortText('X.509'),
      unsigned32(certificate.length),
      certificate,
    ]),
  );
  const content = Buffer.concat([
    unsigned32(magic),
    unsigned32(version),
    unsigned32(entries.length),
    ...entries,
  ]);
  const digest = createHash('sha1')
    // Java's characters are UTF-16, high octet first; the salt is a constant of the JDK.
    .update(Buffer.from(password, 'utf16le').swap16())
    .update('Mighty Aphrodite')
    .update(content)
    .digest();
  return Buffer.concat([content, digest]);
}

function unsigned32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function unsigned64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(Math.trunc(value)));
  return bytes;
}

/** DataOutput.writeUTF for ASCII. */
function shortText(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
