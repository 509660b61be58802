// The name that OpenSSL gives a certificate in a hashed folder (`openssl rehash`, X509_NAME_hash).

import { createHash } from 'node:crypto';
import { der, derSequence, derTag, derUtf8String, readDerElement, readDerElements } from './der.ts';
import type { DerElement } from './der.ts';
import { readCertificate } from './certificate-fields.ts';

/** Eight hexadecimal digits: of two certificates with the same subject they are the same. Throws RangeError. */
export function subjectHash(certificate: Uint8Array): string {
  const relativeNames = readDerElements(
    readDerElement(readCertificate(certificate).subject, derTag.sequence).contents,
  );
  const digest = createHash('sha1')
    .update(Buffer.concat(relativeNames.map(canonicalRelativeName)))
    .digest();
  return digest.readUInt32LE(0).toString(16).padStart(8, '0');
}

/** The file names of a hashed folder, in order: `HASH.0`, and `HASH.1` … for subjects that come again. */
export function hashedNames(certificates: readonly Uint8Array[]): string[] {
  const seen = new Map<string, number>();
  return certificates.map((certificate) => {
    const hash = subjectHash(certificate);
    const number = seen.get(hash) ?? 0;
    seen.set(hash, number + 1);
    return `${hash}.${String(number)}`;
  });
}

/** A SET OF attributes; DER wants them sorted, and the canonical values may sort otherwise. */
function canonicalRelativeName(set: DerElement): Uint8Array {
  const attributes = readDerElements(set.contents).map((attribute) => {
    const [type, value] = readDerElements(attribute.contents);
    if (type === undefined || value === undefined) throw new RangeError('DER: not an attribute of a name');
    return derSequence(type.whole, canonicalValue(value));
  });
  return der(derTag.set, ...attributes.toSorted((a, b) => Buffer.compare(a, b)));
}

/** Strings become UTF-8 in lower case (ASCII only), with white space trimmed and runs of it made one space. */
function canonicalValue(value: DerElement): Uint8Array {
  const text = stringText(value);
  if (text === undefined) return value.whole;
  const canonical = text
    .replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, '')
    .replace(/[ \t\n\v\f\r]+/g, ' ')
    .replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
  return derUtf8String(canonical);
}

function stringText({ tag, contents }: DerElement): string | undefined {
  const bytes = Buffer.from(contents);
  switch (tag) {
    case derTag.utf8String:
      return bytes.toString('utf8');
    case derTag.printableString:
    case derTag.teletexString:
    case derTag.ia5String:
    case derTag.visibleString:
      return bytes.toString('latin1');
    case derTag.bmpString:
      if (bytes.length % 2 !== 0) throw new RangeError('DER: half a character in a BMPString');
      return Buffer.from(bytes).swap16().toString('utf16le');
    default:
      return undefined;
  }
}
