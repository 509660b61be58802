// The way from the certificate of an authority to the root that clients trust, and what of it they would refuse.

import { type KeyObject, X509Certificate } from 'node:crypto';
import { ProxyError } from '../protocol/error.ts';
import { defaultLimits } from '../protocol/limits.ts';
import { type CertificateFields, readCertificate } from './certificate-fields.ts';
import { leafPurposes, publicKeyInfo } from './certificate-profile.ts';
import { constraintViolation } from './name-constraints.ts';
import { pemContents } from './pem.ts';

export interface AuthorityChain {
  /** Of the key first, each signed by the one behind it. Empty where the certificate of the key is a root. */
  readonly intermediates: readonly string[];
  readonly root: string;
  /** In which all of them are valid. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Whether it is signed by its own key, and so is what clients trust. */
export function isRoot(pem: string): boolean {
  const { issuer, subject } = readCertificate(pemContents(pem));
  if (Buffer.compare(issuer, subject) !== 0) return false;
  const certificate = new X509Certificate(pem);
  return certificate.verify(certificate.publicKey);
}

export function isOfKey(pem: string, key: KeyObject): boolean {
  return Buffer.compare(publicKeyInfo(key), readCertificate(pemContents(pem)).publicKeyInfo) === 0;
}

/**
 * The way from `own` to a root, over what is in `others`. Throws ProxyError `ca_key_unusable` where there is none, or where one of them may
 * not sign what stands below it.
 */
export function authorityChain(own: string, others: readonly string[]): AuthorityChain {
  const path = [own];
  for (let last = own; !isRoot(last);) {
    const below = last;
    const issuer = others
      .filter((one) => !path.includes(one) && isIssuedBy(below, one))
      .reduce<string | undefined>(betterOf, undefined);
    if (issuer === undefined) throw unusable(`${nameOf(last)} leads to no root: its issuer is not there`);
    if (path.length > defaultLimits.authorityIntermediatesMax)
      throw unusable(
        `there are more than ${defaultLimits.authorityIntermediatesMax} authorities below the root`,
      );
    path.push(issuer);
    last = issuer;
  }
  const fields = path.map((pem) => readCertificate(pemContents(pem)));
  for (const [below, pem] of path.entries()) {
    const reason = whyNotBelow(fields, below);
    if (reason !== undefined) throw unusable(`${nameOf(pem)} ${reason}`);
  }
  return {
    intermediates: path.slice(0, -1),
    root: path.at(-1) ?? own,
    notBeforeMs: Math.max(...fields.map(({ notBeforeMs }) => notBeforeMs)),
    notAfterMs: Math.min(...fields.map(({ notAfterMs }) => notAfterMs)),
  };
}

/** Of several certificates of one issuer: a root leads nowhere else, and its keeper may have renewed it with the same key. */
function betterOf(one: string | undefined, other: string): string {
  if (one === undefined || isRoot(one) !== isRoot(other))
    return one !== undefined && isRoot(one) ? one : other;
  return endOf(other) > endOf(one) ? other : one;
}

function endOf(pem: string): number {
  return readCertificate(pemContents(pem)).notAfterMs;
}

/** What holds for any authority, however long it has been in use. */
function whyNotBelow(path: readonly CertificateFields[], below: number): string | undefined {
  const fields = path[below];
  if (fields === undefined) return undefined;
  if (!fields.authority) return 'is not the certificate of an authority (CA:TRUE is missing)';
  if (!fields.signsCertificates) return 'may not sign certificates (keyUsage)';
  // RFC 5280 §4.2.1.9: what only exchanges a key does not count.
  const authorities = path.slice(0, below).filter(({ subject, issuer }) => !isSame(subject, issuer)).length;
  if (fields.pathLength !== undefined && authorities > fields.pathLength)
    return `allows ${fields.pathLength} authorities below it (pathlen), and there are ${authorities}`;
  return undefined;
}

export interface SignedChain {
  /** As they came, in any order. */
  readonly certificates: readonly string[];
  /** Roots that are trusted already, for a chain that comes without. */
  readonly knownRoots: readonly string[];
  readonly key: KeyObject;
  readonly nowMs: number;
}

/**
 * A chain that somebody signed for a request, judged as strictly as the strictest client does. Throws ProxyError `ca_key_unusable` that says
 * which certificate is wrong, and why.
 */
export function checkSignedChain({ certificates, knownRoots, key, nowMs }: SignedChain): AuthorityChain {
  const own = certificates.find((pem) => isOfKey(pem, key));
  if (own === undefined)
    throw unusable('none of the certificates is of the key that was requested: is it of another request?');
  if (isRoot(own)) throw unusable(`${nameOf(own)} is signed by its own key: there is no root above it`);
  const chain = authorityChain(own, [...certificates, ...knownRoots]);
  const path = [...chain.intermediates, chain.root];
  const stray = certificates.find((pem) => !path.includes(pem));
  // A root that stands beside would be trusted by every container.
  if (stray !== undefined) throw unusable(`${nameOf(stray)} does not belong to the chain: leave it out`);
  for (const pem of path) {
    const reason = whyRefused(pem, { isTrusted: pem === chain.root, nowMs });
    if (reason !== undefined) throw unusable(`${nameOf(pem)} ${reason}`);
  }
  const violation = constraintViolation(path.map(pemContents));
  if (violation !== undefined) throw unusable(violation);
  return chain;
}

/** Signatures that all clients take: RSA (PKCS #1) and ECDSA, with SHA-256, SHA-384 or SHA-512. */
const takenSignatures: ReadonlySet<string> = new Set([
  '1.2.840.113549.1.1.11',
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.2.840.10045.4.3.2',
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
]);
const takenCurves: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);
const rsaBitsMin = 2048;

function whyRefused(
  pem: string,
  { isTrusted, nowMs }: { readonly isTrusted: boolean; readonly nowMs: number },
): string | undefined {
  const fields = readCertificate(pemContents(pem));
  const { notBeforeMs, notAfterMs, purposes, extensions, signatureAlgorithm } = fields;
  if (nowMs >= notAfterMs) return `expired on ${new Date(notAfterMs).toISOString()}`;
  if (nowMs < notBeforeMs) return `is valid only from ${new Date(notBeforeMs).toISOString()}`;
  if (!isTakenKey(new X509Certificate(pem).publicKey))
    return `has a key that clients do not take: use P-256, P-384, or RSA with at least ${rsaBitsMin} bits`;
  if (purposes !== undefined && !purposes.some((oid) => serverPurposes.has(oid)))
    return 'is for other purposes than servers (extendedKeyUsage)';
  // Nobody looks at the signature of what is trusted.
  if (isTrusted) return undefined;
  if (!takenSignatures.has(signatureAlgorithm))
    return 'is signed by an algorithm that clients do not take: use SHA-256 or more, with RSA or ECDSA';
  const missing = wantedExtensions.find(([oid]) => !extensions.includes(oid));
  return missing === undefined ? undefined : `has no ${missing[1]}, and Python from 3.13 on refuses it`;
}

const serverPurposes: ReadonlySet<string> = new Set([...leafPurposes.server, '2.5.29.37.0']);

const wantedExtensions = [
  ['2.5.29.14', 'subjectKeyIdentifier'],
  ['2.5.29.35', 'authorityKeyIdentifier'],
  ['2.5.29.15', 'keyUsage'],
] as const;

function isTakenKey({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean {
  if (asymmetricKeyType === 'rsa') return (asymmetricKeyDetails?.modulusLength ?? 0) >= rsaBitsMin;
  return asymmetricKeyType === 'ec' && takenCurves.has(asymmetricKeyDetails?.namedCurve ?? '');
}

function isIssuedBy(pem: string, issuer: string): boolean {
  const [below, above] = [readCertificate(pemContents(pem)), readCertificate(pemContents(issuer))];
  if (!isSame(below.issuer, above.subject)) return false;
  return new X509Certificate(pem).verify(new X509Certificate(issuer).publicKey);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** For a message: what an operator finds again in `openssl x509 -subject`. */
function nameOf(pem: string): string {
  const { subject, fingerprint256 } = new X509Certificate(pem);
  // Of certificates without a subject only the digest is left.
  const name = (subject ?? '').replaceAll('\n', ', ');
  return `the certificate ${JSON.stringify(name === '' ? fingerprint256.slice(0, 23) : name)}`;
}

function unusable(message: string): ProxyError {
  return new ProxyError('ca_key_unusable', message);
}
