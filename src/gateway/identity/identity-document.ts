// What gateways that share an identity have in common: the signing key and three authorities, and what is beside them while they rotate.

import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import type { AuthorityPair } from '../../pki/authority-files.ts';
import {
  authorityOf,
  type CertificateAuthority,
  createPair,
  rootsOf,
} from '../../pki/certificate-authority.ts';
import { serverAuthority } from '../../pki/server-identity.ts';
import { createSigningKey, type SigningKey, signingKeyWith } from '../sessions/signing-key.ts';
import { type PublicIdentity, publicIdentityOf } from './public-identity.ts';

export const authorityNames = ['interception', 'server', 'peers'] as const;
export type AuthorityName = (typeof authorityNames)[number];

/** How each is called in trust stores. */
export const authorityTitles = {
  interception: undefined,
  server: serverAuthority.commonName,
  peers: 'upstreamproxy peers',
} as const satisfies Record<AuthorityName, string | undefined>;

/** The pair that signs, with certificates of before that are published on, and the pair that is to follow. */
export interface DocumentAuthority extends AuthorityPair {
  readonly next?: { readonly key: KeyObject; readonly certificate: string; readonly madeMs: number };
  /** The key whose certificate somebody else is to sign. */
  readonly requested?: KeyObject;
}

export interface DocumentSigningKey {
  readonly key: KeyObject;
  readonly next?: { readonly key: KeyObject; readonly madeMs: number };
  /** The public half of the one of before. */
  readonly old?: KeyObject;
}

export interface IdentityDocument {
  /** Of this identity, through all its versions. */
  readonly id: string;
  readonly signingKey: DocumentSigningKey;
  readonly authorities: Readonly<Record<AuthorityName, DocumentAuthority>>;
  /** The operator's certificate of the port, where it is not by the authority of the port. */
  readonly port?: DocumentPort;
}

export interface DocumentPort {
  /** The chain, the leaf first. */
  readonly certificatePem: string;
  readonly key: KeyObject;
}

/** `names`: those that the authority that intercepts may certify; none: every name. */
export function newIdentity(nowMs: number, names: readonly string[] = []): IdentityDocument {
  const pair = (name: AuthorityName): DocumentAuthority =>
    createPair(nowMs, authorityTitles[name], name === 'interception' ? names : []);
  return {
    id: randomBytes(16).toString('hex'),
    signingKey: { key: newSigningKey() },
    authorities: { interception: pair('interception'), server: pair('server'), peers: pair('peers') },
  };
}

export function newSigningKey(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey;
}

export function signingKeyOfDocument({ key, next, old }: DocumentSigningKey): SigningKey {
  const others = [
    ...(next === undefined ? [] : [createPublicKey(next.key)]),
    ...(old === undefined ? [] : [old]),
  ];
  return signingKeyWith(createSigningKey(key), others);
}

/** Throws ProxyError `ca_key_unusable` where it is not valid now. */
export function authorityOfDocument(authority: DocumentAuthority, nowMs: number): CertificateAuthority {
  return authorityOf({ key: authority.key, certificates: publishedBy(authority) }, nowMs);
}

function publishedBy({ certificates, next }: DocumentAuthority): readonly string[] {
  return next === undefined ? certificates : [...new Set([...certificates, next.certificate])];
}

export function publicIdentityOfDocument({ signingKey, authorities }: IdentityDocument): PublicIdentity {
  const { interception, server } = authorities;
  return publicIdentityOf({
    signingKey: signingKeyOfDocument(signingKey),
    interception: { certificatesPem: rootsOf(publishedBy(interception)).join('') },
    server: { certificatesPem: rootsOf(publishedBy(server)).join('') },
  });
}
