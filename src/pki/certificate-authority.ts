// The certificate authority whose leaves the intercepted clients see, of a pair that is there or made for one process.

import { createHash, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { ProxyError } from '../protocol/error.ts';
import type { AuthorityPair } from './authority-files.ts';
import { readCertificate } from './certificate-fields.ts';
import {
  authorityCertificate,
  authorityValidity,
  commonNameOf,
  keyIdentifier,
  leafCertificate,
  leafValidity,
  publicKeyInfo,
} from './certificate-profile.ts';
import type { LeafRequest, LeafUse, Signer } from './certificate-profile.ts';
import { encodePem, pemContents } from './pem.ts';

export interface Leaf {
  /** The leaf alone: clients have the authority in their bundle. */
  readonly certificatePem: string;
  /** PEM (PKCS #8) or the key itself. */
  readonly privateKey: KeyObject | string;
  readonly notAfterMs: number;
}

export interface LeafIssuer {
  /** The certificate that signs now. A leaf of another one is not to be used any more. */
  readonly signerPem?: string;
  /**
   * A leaf for one canonical host name or address. Throws ProxyError `authority_malformed` for any other string and
   * `ca_key_unusable` when the authority itself is not valid now.
   */
  issue(host: string, nowMs: number): Leaf;
}

export interface CertificateAuthority extends LeafIssuer {
  readonly signerPem: string;
  /** All current authorities, for the workload's bundle: more than one while they rotate. */
  readonly certificatesPem: string;
  /** Entity tag of `certificatesPem`, with its quotes. */
  readonly etag: string;
  /** One leaf for several names. */
  issueFor(names: readonly string[], nowMs: number, use?: LeafUse): Leaf;
}

/** An authority that lives and dies with this process. */
export function createEphemeralAuthority(nowMs: number, commonName?: string): CertificateAuthority {
  return authorityOf(createPair(nowMs, commonName), nowMs);
}

export function createPair(nowMs: number, commonName?: string): AuthorityPair {
  const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { key, certificates: [rootOf(key, nowMs, commonName)] };
}

/** The certificate of an authority with this key. Its subject is of the key: all that are made for one are taken for each other. */
export function rootOf(key: KeyObject, nowMs: number, commonName = 'upstreamproxy CA'): string {
  if (!/^[\w .,()-]{1,50}$/.test(commonName)) {
    throw new ProxyError(
      'config_invalid',
      'the common name of an authority has 1 to 50 letters, digits, spaces or .,()-_',
    );
  }
  const keyId = keyIdentifier(publicKeyInfo(key));
  const unique = Buffer.from(keyId).toString('hex').slice(0, 8);
  const name = commonNameOf(`${commonName} ${unique}`);
  return encodePem('CERTIFICATE', authorityCertificate({ key, name, keyId, ...authorityValidity(nowMs) }));
}

/** `pair.certificates[0]` is that of the key; the files were checked when they were read. */
export function authorityOf(pair: AuthorityPair, nowMs: number): CertificateAuthority {
  const [signerPem = ''] = pair.certificates;
  const fields = readCertificate(pemContents(signerPem));
  const signer: Signer = {
    key: pair.key,
    name: fields.subject,
    // Copied where there is one: an AKI has to repeat the issuer's SKI, however it was made.
    keyId: fields.subjectKeyId ?? keyIdentifier(fields.publicKeyInfo),
    notBeforeMs: fields.notBeforeMs,
    notAfterMs: fields.notAfterMs,
  };
  requireValid(signer, nowMs);
  const certificatesPem = pair.certificates.join('');
  const digest = createHash('sha256').update(certificatesPem).digest('hex');
  const leafKey = createLeafKey();
  const issueFor = (names: readonly string[], atMs: number, use: LeafUse = 'server'): Leaf =>
    issueLeaf(signer, leafKey, { names, use }, atMs);
  return {
    signerPem,
    certificatesPem,
    etag: `"${digest.slice(0, 32)}"`,
    issueFor,
    issue: (host, atMs) => issueFor([host], atMs),
  };
}

interface LeafKey {
  readonly pem: string;
  readonly spki: Uint8Array;
  readonly keyId: Uint8Array;
}

/** One key for all leaves of this authority object: a key per leaf would protect nothing more, all are in this process. */
function createLeafKey(): LeafKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKeyInfo(privateKey);
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { pem, spki, keyId: keyIdentifier(spki) };
}

function issueLeaf(
  signer: Signer,
  leafKey: LeafKey,
  { names, use }: Required<Pick<LeafRequest, 'names' | 'use'>>,
  nowMs: number,
): Leaf {
  requireValid(signer, nowMs);
  const validity = leafValidity(signer, nowMs);
  const certificate = leafCertificate(signer, {
    names,
    use,
    spki: leafKey.spki,
    keyId: leafKey.keyId,
    ...validity,
  });
  return {
    certificatePem: encodePem('CERTIFICATE', certificate),
    privateKey: leafKey.pem,
    notAfterMs: validity.notAfterMs,
  };
}

function requireValid(signer: Signer, nowMs: number): void {
  if (nowMs >= signer.notBeforeMs && nowMs < signer.notAfterMs) return;
  const when = nowMs < signer.notBeforeMs ? 'is valid only from' : 'expired on';
  const limitMs = nowMs < signer.notBeforeMs ? signer.notBeforeMs : signer.notAfterMs;
  throw new ProxyError(
    'ca_key_unusable',
    `the certificate of the authority ${when} ${new Date(limitMs).toISOString()}: rotate it, or correct the clock`,
  );
}
