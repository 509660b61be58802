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
    javaTrustEntry(certificate, `certificate-${String(index + 1)}`, timeMs),
  );
  const content = Buffer.concat([
    unsigned32(magic),
    unsigned32(version),
    unsigned32(entries.length),
    ...entries,
  ]);
  return Buffer.concat([content, digestOf(content, password)]);
}

/** One entry of a store: a certificate that is trusted. */
export function javaTrustEntry(certificate: Uint8Array, alias: string, timeMs: number): Uint8Array {
  return Buffer.concat([
    unsigned32(trustedCertificate),
    shortText(alias),
    unsigned64(timeMs),
    shortText('X.509'),
    unsigned32(certificate.length),
    certificate,
  ]);
}

/** Whether the bytes are one entry of a trusted certificate and no more, with a name that begins so. */
export function isJavaTrustEntry(entry: Uint8Array, prefix: string): boolean {
  const bytes = Buffer.from(entry);
  const nameOffset = 6;
  if (bytes.length < nameOffset || bytes.readUInt32BE(0) !== trustedCertificate) return false;
  const nameEnd = nameOffset + bytes.readUInt16BE(4);
  // Time, and the kind with its length.
  const lengthOffset = nameEnd + 8 + 2 + 'X.509'.length;
  if (bytes.length < lengthOffset + 4) return false;
  const isWhole = lengthOffset + 4 + bytes.readUInt32BE(lengthOffset) === bytes.length;
  return isWhole && bytes.toString('latin1', nameOffset, nameEnd).startsWith(prefix);
}

/** The store with the entry behind the others; undefined if it is no JKS, or not of that password. */
export function withJavaEntry(
  store: Uint8Array,
  entry: Uint8Array,
  password: string,
): Uint8Array | undefined {
  const content = contentOf(store, password);
  return content === undefined ? undefined : counted(Buffer.concat([content, entry]), 1, password);
}

/** The store as it was before `withJavaEntry`, byte for byte if nothing else changed; undefined if the entry is not in it. */
export function withoutJavaEntry(
  store: Uint8Array,
  entry: Uint8Array,
  password: string,
): Uint8Array | undefined {
  const content = contentOf(store, password);
  const at = content?.lastIndexOf(entry) ?? -1;
  if (content === undefined || at < 0) return undefined;
  const rest = Buffer.concat([content.subarray(0, at), content.subarray(at + entry.length)]);
  return counted(rest, -1, password);
}

const digestBytes = 20;
const countOffset = 8;

/** All but the digest, which is verified. */
function contentOf(store: Uint8Array, password: string): Buffer | undefined {
  const bytes = Buffer.from(store);
  if (bytes.length < countOffset + 4 + digestBytes) return undefined;
  if (bytes.readUInt32BE(0) !== magic || bytes.readUInt32BE(4) !== version) return undefined;
  const content = bytes.subarray(0, -digestBytes);
  return digestOf(content, password).equals(bytes.subarray(-digestBytes)) ? content : undefined;
}

function counted(content: Buffer, more: number, password: string): Uint8Array {
  content.writeUInt32BE(content.readUInt32BE(countOffset) + more, countOffset);
  return Buffer.concat([content, digestOf(content, password)]);
}

function digestOf(content: Uint8Array, password: string): Buffer {
  return (
    createHash('sha1')
      // Java's characters are UTF-16, high octet first; the salt is a constant of the JDK.
      .update(Buffer.from(password, 'utf16le').swap16())
      .update('Mighty Aphrodite')
      .update(content)
      .digest()
  );
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
