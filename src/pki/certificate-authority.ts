// The certificate authority whose leaves the intercepted clients see, of a pair that is there or made for one process.

import { createHash, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { ProxyError } from '../protocol/error.ts';
import type { AuthorityPair } from './authority-files.ts';
import { createKey } from './authority-key.ts';
import { authorityChain, isRoot } from './authority-chain.ts';
import { readCertificate } from './certificate-fields.ts';
import {
  authorityCertificate,
  authorityValidity,
  certificateOf,
  commonNameOf,
  keyIdentifier,
  leafCertificate,
  leafToBeSigned,
  leafValidity,
  publicKeyInfo,
  signatureOf,
} from './certificate-profile.ts';
import type { Issuer, LeafRequest, LeafUse, Signer, Validity } from './certificate-profile.ts';
import { nameConstraints } from './permitted-names.ts';
import { encodePem, pemContents, splitPemCertificates } from './pem.ts';

export interface Leaf {
  /** The leaf, and the authorities between it and the root that clients have in their bundle. */
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
   * `ca_key_unusable` when the authority itself is not valid now; where another process has the key, `signer_unavailable` and `signing_refused`.
   */
  issue(host: string, nowMs: number): Leaf | Promise<Leaf>;
}

/** One that is published, and signs: here, or by a process that has the key. */
export interface PublishedAuthority extends LeafIssuer {
  /** The certificate of the key, and those above it that go along with a leaf. */
  readonly signerPem: string;
  /** When the first certificate of the chain begins, and when the first one ends. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** All current roots, for the workload's bundle: more than one while they rotate. */
  readonly certificatesPem: string;
  /** Entity tag of `certificatesPem`, with its quotes. */
  readonly etag: string;
  /** Whether somebody else has it renewed in time. */
  readonly renewsItself?: boolean;
}

/** One whose key is in this process. */
export interface CertificateAuthority extends PublishedAuthority {
  issue(host: string, nowMs: number): Leaf;
  /** One leaf for several names. */
  issueFor(names: readonly string[], nowMs: number, use?: LeafUse): Leaf;
}

/** An authority that lives and dies with this process. */
export function createEphemeralAuthority(nowMs: number, commonName?: string): CertificateAuthority {
  return authorityOf(createPair(nowMs, commonName), nowMs);
}

/** `names`: those that it may certify, and what is below them; none: every name. */
export function createPair(nowMs: number, commonName?: string, names: readonly string[] = []): AuthorityPair {
  const key = createKey();
  return { key, certificates: [rootOf(key, nowMs, { commonName, names })] };
}

export interface RootOptions {
  readonly commonName?: string | undefined;
  readonly names?: readonly string[] | undefined;
}

/** The certificate of an authority with this key. Its subject is of the key: all that are made for one are taken for each other. */
export function rootOf(key: KeyObject, nowMs: number, { commonName, names = [] }: RootOptions = {}): string {
  const keyId = keyIdentifier(publicKeyInfo(key));
  const name = subjectOf(key, commonName);
  return encodePem(
    'CERTIFICATE',
    authorityCertificate({ key, name, keyId, ...authorityValidity(nowMs) }, constraintsOf(names)),
  );
}

/** The extension that bounds it to these names; none where there are none. */
export function constraintsOf(names: readonly string[]): readonly Uint8Array[] {
  return names.length === 0 ? [] : [nameConstraints(names)];
}

/** DER of the Name of an authority with this key. */
export function subjectOf(key: KeyObject, commonName = 'upstreamproxy CA'): Uint8Array {
  if (!/^[\w .,()-]{1,50}$/.test(commonName)) {
    throw new ProxyError(
      'config_invalid',
      'the common name of an authority has 1 to 50 letters, digits, spaces or .,()-_',
    );
  }
  const keyId = keyIdentifier(publicKeyInfo(key));
  const unique = Buffer.from(keyId).toString('hex').slice(0, 8);
  return commonNameOf(`${commonName} ${unique}`);
}

/** What clients are to trust of these; authorities below a root go along with leaves, and are nobody's root. */
export function rootsOf(certificates: readonly string[]): readonly string[] {
  return [...new Set(certificates.flatMap(splitPemCertificates))].filter(isRoot);
}

/** `pair.certificates[0]` is that of the key; the files were checked when they were read. */
export function authorityOf(pair: AuthorityPair, nowMs: number): CertificateAuthority {
  const { issuer, intermediates, ...published } = readAuthority(pair.certificates);
  requireValid(issuer, nowMs);
  const signer: Signer = { ...issuer, key: pair.key };
  const leafKey = createLeafKey();
  const issueFor = (names: readonly string[], atMs: number, use: LeafUse = 'server'): Leaf =>
    withChain(issueLeaf(signer, leafKey, { names, use }, atMs), intermediates);
  return { ...published, issueFor, issue: (host, atMs) => issueFor([host], atMs) };
}

export interface ReadAuthority extends Omit<PublishedAuthority, 'issue'> {
  readonly issuer: Issuer;
  /** What goes along with a leaf. */
  readonly intermediates: readonly string[];
}

/** What certificates say of an authority, without its key; the one that signs first. Throws `ca_key_unusable`. */
export function readAuthority(certificates: readonly string[]): ReadAuthority {
  const [own = '', ...others] = certificates.flatMap(splitPemCertificates);
  const fields = readCertificate(pemContents(own));
  const { intermediates, root, notBeforeMs, notAfterMs } = authorityChain(own, others);
  const certificatesPem = [...new Set([root, ...rootsOf(others)])].join('');
  const digest = createHash('sha256').update(certificatesPem).digest('hex');
  return {
    signerPem: intermediates.length === 0 ? own : intermediates.join(''),
    notBeforeMs,
    notAfterMs,
    certificatesPem,
    etag: `"${digest.slice(0, 32)}"`,
    intermediates,
    issuer: {
      name: fields.subject,
      // Copied where there is one: an AKI has to repeat the issuer's SKI, however it was made.
      keyId: fields.subjectKeyId ?? keyIdentifier(fields.publicKeyInfo),
      algorithm: signatureOf(new X509Certificate(own).publicKey).algorithm,
      notBeforeMs,
      notAfterMs,
    },
  };
}

/** Gives the signature of what is to be signed, from where the key is. */
export type RemoteSign = (text: Uint8Array) => Promise<Uint8Array>;

/** The authority of these certificates, whose key is elsewhere; the keys of leaves are here. */
export function remoteAuthorityOf(
  certificates: readonly string[],
  sign: RemoteSign,
  options: { readonly renewsItself: boolean },
): PublishedAuthority {
  const { issuer, intermediates, ...published } = readAuthority(certificates);
  const leafKey = createLeafKey();
  return {
    ...published,
    ...options,
    issue: async (host, nowMs) => {
      requireValid(issuer, nowMs);
      const { spki, keyId, pem } = leafKey;
      const validity = leafValidity(issuer, nowMs);
      const text = leafToBeSigned(issuer, { names: [host], spki, keyId, ...validity });
      const certificate = certificateOf(text, issuer.algorithm, await sign(text));
      const leaf = {
        certificatePem: encodePem('CERTIFICATE', certificate),
        privateKey: pem,
        notAfterMs: validity.notAfterMs,
      };
      return withChain(leaf, intermediates);
    },
  };
}

function withChain(leaf: Leaf, intermediates: readonly string[]): Leaf {
  return { ...leaf, certificatePem: leaf.certificatePem + intermediates.join('') };
}

interface LeafKey {
  readonly pem: string;
  readonly spki: Uint8Array;
  readonly keyId: Uint8Array;
}

/** One key for all leaves of this authority object: a key per leaf would protect nothing more, all are in this process. */
function createLeafKey(): LeafKey {
  const privateKey = createKey();
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

function requireValid(signer: Validity, nowMs: number): void {
  if (nowMs >= signer.notBeforeMs && nowMs < signer.notAfterMs) return;
  const when = nowMs < signer.notBeforeMs ? 'is valid only from' : 'expired on';
  const limitMs = nowMs < signer.notBeforeMs ? signer.notBeforeMs : signer.notAfterMs;
  throw new ProxyError(
    'ca_key_unusable',
    `the certificate of the authority ${when} ${new Date(limitMs).toISOString()}: rotate it, or correct the clock`,
  );
}
