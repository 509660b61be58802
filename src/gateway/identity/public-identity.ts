// What of an identity is no secret, and by which gateways on one store see whether they have the same one.

import { createHash } from 'node:crypto';
import type { CertificateAuthority } from '../../pki/certificate-authority.ts';
import { pemContents, splitPemCertificates } from '../../pki/pem.ts';
import { linkKeysOf, type SigningKey } from '../sessions/signing-key.ts';

/** The current one of each, and those that are accepted or published beside it: while they rotate, two states of one identity share one. */
export interface PublicIdentity {
  /** Public keys, base64url. */
  readonly signingKeys: readonly string[];
  /** SHA-256 of certificates, in hexadecimal digits. */
  readonly interception: readonly string[];
  /** The same for the authority of the port; none where the operator gives its certificate. */
  readonly server: readonly string[];
}

export interface IdentityParts {
  readonly signingKey: Pick<SigningKey, 'publicKeys'>;
  readonly interception: Pick<CertificateAuthority, 'certificatesPem'>;
  readonly server?: Pick<CertificateAuthority, 'certificatesPem'> | undefined;
}

export function publicIdentityOf({ signingKey, interception, server }: IdentityParts): PublicIdentity {
  return {
    signingKeys: linkKeysOf(signingKey),
    interception: fingerprints(interception),
    server: server === undefined ? [] : fingerprints(server),
  };
}

function fingerprints({ certificatesPem }: Pick<CertificateAuthority, 'certificatesPem'>): readonly string[] {
  return splitPemCertificates(certificatesPem).map((pem) =>
    createHash('sha256').update(pemContents(pem)).digest('hex'),
  );
}

const kinds = {
  signingKeys: 'signing key',
  interception: 'authority',
  server: 'authority of the port',
} as const;

/** What they do not have in common, by its name; undefined where they are one. What only one of them has says nothing. */
export function differenceOf(one: PublicIdentity, other: PublicIdentity): string | undefined {
  for (const [kind, name] of Object.entries(kinds) as [keyof PublicIdentity, string][]) {
    const theirs = new Set(other[kind]);
    if (one[kind].length > 0 && theirs.size > 0 && !one[kind].some((each) => theirs.has(each))) return name;
  }
  return undefined;
}

/** `one` as it is now, with what only the other has. */
export function joined(one: PublicIdentity, other: PublicIdentity): PublicIdentity {
  return { ...one, server: one.server.length > 0 ? one.server : other.server };
}

export function isSame(one: PublicIdentity, other: PublicIdentity): boolean {
  return JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
}

function sorted({ signingKeys, interception, server }: PublicIdentity): readonly (readonly string[])[] {
  return [signingKeys, interception, server].map((list) => list.toSorted());
}
