// The certificate authority whose leaves the intercepted clients see: opened from a folder, or made for one process.

import { createHash, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { ProxyError } from '../protocol/error.ts';
import { openAuthorityFiles, readAuthorityFiles } from './authority-files.ts';
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
import type { Signer } from './certificate-profile.ts';
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
  issueFor(names: readonly string[], nowMs: number): Leaf;
}

export interface OpenAuthorityOptions {
  readonly nowMs: number;
  /** Shown in trust stores; 8 hexadecimal digits are appended, so that no two authorities share a name. */
  readonly commonName?: string;
  /** The files are `<name>.key` and `<name>.pem`; default `ca`. */
  readonly name?: string;
}

/**
 * Opens the authority of a folder, and makes it on first use: a P-256 key with mode 0600, in a folder with mode 0700.
 * An existing key is never replaced: throws ProxyError `ca_key_unusable` when it cannot be used, and says why.
 */
export async function openCertificateAuthority(
  directory: string,
  options: OpenAuthorityOptions,
): Promise<CertificateAuthority> {
  const { nowMs, commonName, name = 'ca' } = options;
  const pair = await openAuthorityFiles({ directory, name, create: () => createPair(nowMs, commonName) });
  return authorityOf(pair, nowMs);
}

/** Reads the authority of a folder that has one, and makes nothing. Throws as `openCertificateAuthority` does. */
export async function readCertificateAuthority(
  directory: string,
  { nowMs, name = 'ca' }: OpenAuthorityOptions,
): Promise<CertificateAuthority> {
  return authorityOf(await readAuthorityFiles(directory, name), nowMs);
}

/** An authority that lives and dies with this process. */
export function createEphemeralAuthority(nowMs: number, commonName?: string): CertificateAuthority {
  return authorityOf(createPair(nowMs, commonName), nowMs);
}

export function createPair(nowMs: number, commonName = 'upstreamproxy CA'): AuthorityPair {
  if (!/^[\w .,()-]{1,50}$/.test(commonName)) {
    throw new ProxyError(
      'config_invalid',
      'the common name of an authority has 1 to 50 letters, digits, spaces or .,()-_',
    );
  }
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const keyId = keyIdentifier(publicKeyInfo(privateKey));
  const unique = Buffer.from(keyId).toString('hex').slice(0, 8);
  const certificate = authorityCertificate({
    key: privateKey,
    name: commonNameOf(`${commonName} ${unique}`),
    keyId,
    ...authorityValidity(nowMs),
  });
  return { key: privateKey, certificates: [encodePem('CERTIFICATE', certificate)] };
}

/** `pair.certificates[0]` is that of the key; the files were checked when they were read. */
function authorityOf(pair: AuthorityPair, nowMs: number): CertificateAuthority {
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
  const issueFor = (names: readonly string[], atMs: number): Leaf => issueLeaf(signer, leafKey, names, atMs);
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

function issueLeaf(signer: Signer, leafKey: LeafKey, names: readonly string[], nowMs: number): Leaf {
  requireValid(signer, nowMs);
  const validity = leafValidity(signer, nowMs);
  const certificate = leafCertificate(signer, {
    names,
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
