// What our certificates look like (RFC 5280): the profile of an authority and that of a leaf.

import { createHash, createPublicKey, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { parseIpv4, parseIpv6 } from '../http/ip-address.ts';
import { ProxyError } from '../protocol/error.ts';
import {
  der,
  derBitString,
  derInteger,
  derOctetString,
  derOid,
  derSequence,
  derTag,
  derTime,
  derTrue,
  derUtf8String,
  readDerElement,
  readDerElements,
} from './der.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** Long enough that a bundle baked into an image does not age; rotation is by publishing two. */
const authorityLifetimeMs = 3650 * dayMs;
/** An authority must be valid before its first leaf, for a container whose clock is behind. */
const authorityBackdateMs = dayMs;
/** Renewed long before; short, because a leaf cannot be revoked. */
export const leafLifetimeMs = 30 * dayMs;
/** For a container whose clock is behind. */
export const leafBackdateMs = hourMs;

export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** What certificates say of their issuer: the DER of its Name, its key identifier, its algorithm, and the time in which it may. */
export interface Issuer extends Validity {
  readonly name: Uint8Array;
  readonly keyId: Uint8Array;
  /** DER of the AlgorithmIdentifier. */
  readonly algorithm: Uint8Array;
}

/** Who signs: an issuer with its key. */
export interface Signer extends Omit<Issuer, 'algorithm'> {
  readonly key: KeyObject;
}

/** The validity of a leaf made now: inside the signer's, 30 days at most, valid since an hour. */
export function leafValidity(signer: Validity, nowMs: number): Validity {
  return {
    notBeforeMs: Math.max(signer.notBeforeMs, nowMs - leafBackdateMs),
    notAfterMs: Math.min(signer.notAfterMs, nowMs + leafLifetimeMs),
  };
}

/** The validity of an authority made now. */
export function authorityValidity(nowMs: number): Validity {
  return { notBeforeMs: nowMs - authorityBackdateMs, notAfterMs: nowMs + authorityLifetimeMs };
}

/** DER of the SubjectPublicKeyInfo of a private or public key. */
export function publicKeyInfo(key: KeyObject): Uint8Array {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return publicKey.export({ type: 'spki', format: 'der' });
}

/** The key identifier of RFC 5280 §4.2.1.2 (1): SHA-1 of the bits of the public key. It identifies, it protects nothing. */
export function keyIdentifier(spki: Uint8Array): Uint8Array {
  const bits = readDerElements(readDerElement(spki, derTag.sequence).contents)[1];
  return createHash('sha1')
    .update(bits?.contents.subarray(1) ?? spki)
    .digest();
}

/** DER of a Name that is one common name. */
export function commonNameOf(text: string): Uint8Array {
  return derSequence(der(derTag.set, derSequence(derOid('2.5.4.3'), derUtf8String(text))));
}

/** What makes a certificate an authority: CA:TRUE and pathlen 0, keyCertSign and cRLSign. */
export function authorityExtensions(): readonly Uint8Array[] {
  return [
    extension('2.5.29.19', 'critical', derSequence(derTrue(), derInteger(Uint8Array.of(0)))),
    extension('2.5.29.15', 'critical', derBitString(Uint8Array.of(0x06), 1)),
  ];
}

/** DER of a self-signed authority: CA:TRUE and pathlen 0, keyCertSign and cRLSign, SKI and AKI. */
export function authorityCertificate(signer: Signer, further: readonly Uint8Array[] = []): Uint8Array {
  const of = { ...signer, subject: signer.name, spki: publicKeyInfo(signer.key), keyId: signer.keyId };
  return signedBy(signer, (issuer) => authorityToBeSigned(issuer, of, further));
}

export interface AuthorityRequest extends Validity {
  /** DER of its Name. */
  readonly subject: Uint8Array;
  readonly spki: Uint8Array;
  readonly keyId: Uint8Array;
}

/** What is signed of an authority, its own issuer or below another. */
export function authorityToBeSigned(
  issuer: Issuer,
  request: AuthorityRequest,
  further: readonly Uint8Array[] = [],
): Uint8Array {
  const extensions = [
    ...authorityExtensions(),
    extension('2.5.29.14', 'plain', derOctetString(request.keyId)),
    authorityKeyIdentifier(issuer.keyId),
    ...further,
  ];
  return toBeSigned(issuer, { ...request, serial: serialNumber() }, extensions);
}

export interface LeafRequest extends Validity {
  /** Canonical host names or addresses: exactly the subjectAltName. */
  readonly names: readonly string[];
  readonly spki: Uint8Array;
  readonly keyId: Uint8Array;
  /** A peer is client and server alike; `server` unless it says so. */
  readonly use?: LeafUse;
}

export type LeafUse = 'server' | 'peer';

/** By who verifies it (RFC 5280 §4.2.1.12). */
export const leafPurposes: Readonly<Record<LeafUse, readonly string[]>> = {
  server: ['1.3.6.1.5.5.7.3.1'],
  peer: ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'],
};

/**
 * DER of a server's leaf: empty subject and critical SAN, serverAuth, digitalSignature, CA:FALSE, SKI and AKI.
 * Throws ProxyError `authority_malformed` for a name that is not canonical: there is no certificate for an odd string.
 */
export function leafCertificate(signer: Signer, request: LeafRequest): Uint8Array {
  return signedBy(signer, (issuer) => leafToBeSigned(issuer, request));
}

/** What of it is signed. `serial` is a new one unless a leaf that is there has to be written again. */
export function leafToBeSigned(
  issuer: Issuer,
  request: LeafRequest,
  serial: Uint8Array = serialNumber(),
): Uint8Array {
  const extensions = [
    extension('2.5.29.19', 'critical', derSequence()),
    extension('2.5.29.15', 'critical', derBitString(Uint8Array.of(0x80), 7)),
    extension(
      '2.5.29.37',
      'plain',
      derSequence(...leafPurposes[request.use ?? 'server'].map((oid) => derOid(oid))),
    ),
    extension('2.5.29.14', 'plain', derOctetString(request.keyId)),
    authorityKeyIdentifier(issuer.keyId),
    // Critical because the subject is empty (RFC 5280 §4.1.2.6).
    extension('2.5.29.17', 'critical', derSequence(...request.names.map(generalName))),
  ];
  return toBeSigned(issuer, { ...request, subject: derSequence(), serial }, extensions);
}

interface Subject extends Validity {
  readonly serial: Uint8Array;
  readonly subject: Uint8Array;
  readonly spki: Uint8Array;
}

function toBeSigned(issuer: Issuer, subject: Subject, extensions: readonly Uint8Array[]): Uint8Array {
  return derSequence(
    der(0xa0, derInteger(Uint8Array.of(2))),
    derInteger(subject.serial),
    issuer.algorithm,
    issuer.name,
    derSequence(derTime(subject.notBeforeMs), derTime(subject.notAfterMs)),
    subject.subject,
    subject.spki,
    der(0xa3, derSequence(...extensions)),
  );
}

function signedBy(signer: Signer, write: (issuer: Issuer) => Uint8Array): Uint8Array {
  const { algorithm, digest } = signatureOf(signer.key);
  const text = write({ ...signer, algorithm });
  return certificateOf(text, algorithm, sign(digest, text, signer.key));
}

/** DER of a certificate, of what was signed and its signature. */
export function certificateOf(text: Uint8Array, algorithm: Uint8Array, signature: Uint8Array): Uint8Array {
  return derSequence(text, algorithm, derBitString(signature));
}

/** 128 bits, positive and of fixed length: two bits of the first octet are set, 126 are random. */
function serialNumber(): Uint8Array {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial;
}

/** The algorithm of the signature by the kind of the key; throws ProxyError `ca_key_unusable` for kinds that clients do not take. */
export function signatureOf(key: KeyObject): { readonly algorithm: Uint8Array; readonly digest: string } {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (key.asymmetricKeyType === 'ec' && curve === 'prime256v1') {
    return { algorithm: derSequence(derOid('1.2.840.10045.4.3.2')), digest: 'sha256' };
  }
  if (key.asymmetricKeyType === 'ec' && curve === 'secp384r1') {
    return { algorithm: derSequence(derOid('1.2.840.10045.4.3.3')), digest: 'sha384' };
  }
  if (key.asymmetricKeyType === 'rsa') {
    return {
      algorithm: derSequence(derOid('1.2.840.113549.1.1.11'), Uint8Array.of(0x05, 0x00)),
      digest: 'sha256',
    };
  }
  throw new ProxyError(
    'ca_key_unusable',
    'the key of the authority is neither P-256, P-384 nor RSA; clients would not take its leaves',
  );
}

export function extension(oid: string, weight: 'critical' | 'plain', value: Uint8Array): Uint8Array {
  const wrapped = derOctetString(value);
  return weight === 'critical'
    ? derSequence(derOid(oid), derTrue(), wrapped)
    : derSequence(derOid(oid), wrapped);
}

function authorityKeyIdentifier(keyId: Uint8Array): Uint8Array {
  return extension('2.5.29.35', 'plain', derSequence(der(0x80, keyId)));
}

function generalName(host: string): Uint8Array {
  const quad = parseIpv4(host);
  if (quad !== undefined)
    return der(0x87, Uint8Array.of(quad >>> 24, (quad >>> 16) & 0xff, (quad >>> 8) & 0xff, quad & 0xff));
  const groups = parseIpv6(host);
  if (groups !== undefined)
    return der(0x87, Uint8Array.from(groups.flatMap((group) => [group >>> 8, group & 0xff])));
  if (host.length > 253 || !/^(?:(?!-)[a-z0-9_-]{1,63}(?<!-)\.)*(?!-)[a-z0-9_-]{1,63}(?<!-)$/.test(host)) {
    throw new ProxyError(
      'authority_malformed',
      'a certificate is made only for a canonical host name or address',
    );
  }
  return der(0x82, Buffer.from(host, 'latin1'));
}
