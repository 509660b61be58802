// The fields of an X.509 certificate that an issuer needs, read from its DER.

import { derTag, readDerElement, readDerElements, readDerOid, readDerTime } from './der.ts';
import type { DerElement } from './der.ts';

export interface CertificateFields {
  /** DER of the Name: what an issued certificate carries as its issuer, byte for byte. */
  readonly subject: Uint8Array;
  readonly issuer: Uint8Array;
  /** DER of the SubjectPublicKeyInfo. */
  readonly publicKeyInfo: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** basicConstraints CA:TRUE. */
  readonly authority: boolean;
  /** pathLenConstraint of basicConstraints: how many authorities may stand below, not counting leaves. */
  readonly pathLength: number | undefined;
  /** keyUsage allows signing certificates; true as well where there is no keyUsage. */
  readonly signsCertificates: boolean;
  /** OIDs of extendedKeyUsage; undefined: for any purpose. */
  readonly purposes: readonly string[] | undefined;
  /** OID of the algorithm by which the issuer signed. */
  readonly signatureAlgorithm: string;
  /** OIDs of all extensions. */
  readonly extensions: readonly string[];
  readonly subjectKeyId: Uint8Array | undefined;
  /** DER of the extension's value (RFC 5280 §4.2.1.6). */
  readonly subjectAltName: Uint8Array | undefined;
  /** DER of the extension's value (RFC 5280 §4.2.1.10). */
  readonly nameConstraints: Uint8Array | undefined;
}

/** Reads one certificate. Throws RangeError where it is not one; the signature is not checked. */
export function readCertificate(certificate: Uint8Array): CertificateFields {
  const [toBeSigned, algorithm] = readDerElements(readDerElement(certificate, derTag.sequence).contents);
  const [signatureOid] = readDerElements(expectSequence(algorithm));
  if (signatureOid?.tag !== derTag.oid) throw new RangeError('DER: signature algorithm missing');
  const fields = readDerElements(expectSequence(toBeSigned));
  // version [0] is absent in v1 certificates (RFC 5280 §4.1.2.1), which cannot be authorities.
  if (fields[0]?.tag === 0xa0) fields.shift();
  const [, , issuer, validity, subject, publicKeyInfo] = fields;
  const [notBefore, notAfter] = readDerElements(expectSequence(validity));
  if (issuer === undefined || subject === undefined || publicKeyInfo === undefined)
    throw new RangeError('DER: fields missing');
  if (notBefore === undefined || notAfter === undefined) throw new RangeError('DER: validity missing');
  const extensions = readExtensions(fields.find(({ tag }) => tag === 0xa3));
  return {
    subject: subject.whole,
    issuer: issuer.whole,
    publicKeyInfo: publicKeyInfo.whole,
    notBeforeMs: readDerTime(notBefore),
    notAfterMs: readDerTime(notAfter),
    ...readBasicConstraints(extensions.get('2.5.29.19')),
    signsCertificates: readSignsCertificates(extensions.get('2.5.29.15')),
    purposes: readPurposes(extensions.get('2.5.29.37')),
    signatureAlgorithm: readDerOid(signatureOid),
    extensions: [...extensions.keys()],
    subjectKeyId: readSubjectKeyId(extensions.get('2.5.29.14')),
    subjectAltName: extensions.get('2.5.29.17'),
    nameConstraints: extensions.get('2.5.29.30'),
  };
}

function expectSequence(element: DerElement | undefined): Uint8Array {
  if (element?.tag !== derTag.sequence) throw new RangeError('DER: a sequence is missing');
  return element.contents;
}

/** OID to the contents of the OCTET STRING of each extension. */
function readExtensions(wrapper: DerElement | undefined): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  if (wrapper === undefined) return found;
  for (const extension of readDerElements(readDerElement(wrapper.contents, derTag.sequence).contents)) {
    const parts = readDerElements(expectSequence(extension));
    const [oid] = parts;
    const value = parts.at(-1);
    if (oid?.tag !== derTag.oid || value?.tag !== derTag.octetString)
      throw new RangeError('DER: extension malformed');
    const name = readDerOid(oid);
    if (found.has(name)) throw new RangeError('DER: extension occurs twice');
    found.set(name, value.contents);
  }
  return found;
}

function readBasicConstraints(
  value: Uint8Array | undefined,
): Pick<CertificateFields, 'authority' | 'pathLength'> {
  if (value === undefined) return { authority: false, pathLength: undefined };
  const [flag, length] = readDerElements(readDerElement(value, derTag.sequence).contents);
  const authority = flag?.tag === derTag.boolean && flag.contents[0] === 0xff;
  if (!authority || length === undefined) return { authority, pathLength: undefined };
  // More than one octet would be a chain that nobody sends.
  if (length.tag !== derTag.integer || length.contents.length !== 1)
    throw new RangeError('DER: pathlen malformed');
  return { authority, pathLength: length.contents[0] };
}

function readPurposes(value: Uint8Array | undefined): readonly string[] | undefined {
  if (value === undefined) return undefined;
  return readDerElements(readDerElement(value, derTag.sequence).contents).map(readDerOid);
}

function readSignsCertificates(value: Uint8Array | undefined): boolean {
  if (value === undefined) return true;
  // Bit 5, keyCertSign, counted from the left of the first octet behind the count of unused bits.
  return ((readDerElement(value, derTag.bitString).contents[1] ?? 0) & 0x04) !== 0;
}

function readSubjectKeyId(value: Uint8Array | undefined): Uint8Array | undefined {
  return value === undefined ? undefined : readDerElement(value, derTag.octetString).contents;
}
