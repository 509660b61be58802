// The steps of a rotation upon an identity that is a value: each gives what follows, or says why there is none.

import { createPublicKey } from 'node:crypto';
import { checkSignedChain } from '../../pki/authority-chain.ts';
import { keptOf, type NextOptions, requireOwnRoot, usedOf } from '../../pki/authority-rotation.ts';
import { createKey } from '../../pki/authority-key.ts';
import { authorityOf, createPair, rootsOf } from '../../pki/certificate-authority.ts';
import { requireNamed } from '../../pki/permitted-names.ts';
import { splitPemCertificates } from '../../pki/pem.ts';
import { ProxyError } from '../../protocol/error.ts';
import {
  type AuthorityName,
  authorityTitles,
  type DocumentAuthority,
  type IdentityDocument,
  newSigningKey,
} from './identity-document.ts';

export interface ChangeOptions {
  readonly nowMs: number;
  readonly atOnce: boolean;
  /** How long everyone needs to hear of what follows. */
  readonly publishedForMs: number;
}

type Change = (document: IdentityDocument) => IdentityDocument;

/** The next pair is published; it signs nothing yet. */
export function nextAuthority(
  name: AuthorityName,
  nowMs: number,
  { isOwnRoot = false, names }: NextOptions = {},
): Change {
  return changed(name, (authority) => {
    requireOwnRoot(authority.certificates, isOwnRoot);
    if (authority.next !== undefined)
      throw unusableAuthority('there is a next pair already: the rotation that it began goes first');
    const { key, certificates } = createPair(nowMs, authorityTitles[name], names);
    return { ...authority, next: { key, certificate: certificates.join(''), madeMs: nowMs } };
  });
}

/** The next pair signs; the certificates of before are published on. */
export function switchedAuthority(
  name: AuthorityName,
  { nowMs, atOnce, publishedForMs }: ChangeOptions,
): Change {
  return changed(name, ({ certificates, next, ...rest }) => {
    if (next === undefined) throw unusableAuthority('there is no next pair: make it first');
    // One that is not valid now would sign nothing.
    authorityOf({ key: next.key, certificates: [next.certificate] }, nowMs);
    const message = young(next.madeMs, { nowMs, publishedForMs });
    if (!atOnce && message !== undefined)
      throw unusableAuthority(`the next pair ${message}, running sessions may lack it`);
    return signingNow({ ...rest, key: next.key, certificates }, splitPemCertificates(next.certificate));
  });
}

/** The certificates of before are published no more. */
export function retiredAuthority(name: AuthorityName): Change {
  return changed(name, ({ certificates, next, ...rest }) => {
    if (next !== undefined)
      throw unusableAuthority('the next pair has not taken its place yet: nothing is retired before');
    return { ...rest, certificates: keptOf(certificates) };
  });
}

/** A key waits for its certificate; one that waits already stays, unless it is to be another one. */
export function requestedAuthority(name: AuthorityName, isAnew: boolean): Change {
  return changed(name, ({ requested, ...authority }) => ({
    ...authority,
    requested: isAnew ? createKey() : (requested ?? createKey()),
  }));
}

/**
 * What was signed for that key signs from here on where its root is published already, and is the next pair otherwise. Throws
 * `ca_key_unusable`.
 */
export function installedAuthority(
  name: AuthorityName,
  certificates: readonly string[],
  { nowMs, names = [] }: { readonly nowMs: number; readonly names?: readonly string[] | undefined },
): Change {
  return changed(name, ({ requested: key, ...authority }) => {
    if (key === undefined)
      throw unusableAuthority(
        'there is no key that waits: nothing was requested, or it was installed before',
      );
    if (authority.next !== undefined)
      throw unusableAuthority('there is a next pair already: the rotation that it began goes first');
    const knownRoots = rootsOf(authority.certificates);
    const { intermediates, root } = checkSignedChain({ certificates, knownRoots, key, nowMs });
    const chain = [...intermediates, root];
    if (names.length > 0) requireNamed(chain, names);
    if (!knownRoots.includes(root))
      return { ...authority, next: { key, certificate: chain.join(''), madeMs: nowMs } };
    return signingNow({ ...authority, key }, chain);
  });
}

/** With its chain first, and the roots of before behind. */
function signingNow(authority: DocumentAuthority, chain: readonly string[]): DocumentAuthority {
  return { ...authority, certificates: usedOf([...chain, ...authority.certificates]) };
}

/** What the next key signs is taken; it signs nothing yet. */
export function nextSigningKey(nowMs: number): Change {
  return (document) => {
    if (document.signingKey.next !== undefined) throw unusableKey('there is a next key already');
    return {
      ...document,
      signingKey: { ...document.signingKey, next: { key: newSigningKey(), madeMs: nowMs } },
    };
  };
}

/** The next key signs; what the one of before signed is taken on. */
export function switchedSigningKey({ nowMs, atOnce, publishedForMs }: ChangeOptions): Change {
  return (document) => {
    const { key, next, old } = document.signingKey;
    if (next === undefined) throw unusableKey('there is no next key: make it first');
    if (old !== undefined) throw unusableKey('there is a key of an earlier rotation: retire it first');
    const message = young(next.madeMs, { nowMs, publishedForMs });
    if (!atOnce && message !== undefined)
      throw unusableKey(`the next key ${message}, a gateway may not take what it signs`);
    return { ...document, signingKey: { key: next.key, old: createPublicKey(key) } };
  };
}

/** What the key of before signed is taken no more. */
export const retiredSigningKey: Change = (document) => {
  const { old: _, ...signingKey } = document.signingKey;
  return { ...document, signingKey };
};

function changed(name: AuthorityName, change: (authority: DocumentAuthority) => DocumentAuthority): Change {
  return (document) => ({
    ...document,
    authorities: { ...document.authorities, [name]: change(document.authorities[name]) },
  });
}

function young(
  madeMs: number,
  { nowMs, publishedForMs }: { readonly nowMs: number; readonly publishedForMs: number },
): string | undefined {
  const ageMs = nowMs - madeMs;
  if (ageMs >= publishedForMs) return undefined;
  return `is ${Math.max(0, Math.floor(ageMs / 1000))} s old: until it is ${publishedForMs / 1000} s old`;
}

function unusableAuthority(message: string): ProxyError {
  return new ProxyError('ca_key_unusable', message);
}

function unusableKey(message: string): ProxyError {
  return new ProxyError('signing_key_unusable', message);
}
