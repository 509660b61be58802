// What has the key of an authority: it knows its certificates and signs with it, and the key does not leave it.

import { type KeyObject, sign } from 'node:crypto';
import { readAuthority } from '../../pki/certificate-authority.ts';
import { type Issuer, publicKeyInfo, signatureOf } from '../../pki/certificate-profile.ts';
import type { ProxyError } from '../../protocol/error.ts';

export interface HeldKey {
  /** That of the key first, the root, and roots that are published beside it. */
  readonly certificates: readonly string[];
  readonly issuer: Issuer;
  readonly issuerSpki: Uint8Array;
  readonly sign: (text: Uint8Array) => Uint8Array;
}

export interface Custodian extends AsyncDisposable {
  /** The one that signs from now on, and those of before that still may. */
  readonly held: readonly HeldKey[];
  /** Why there is none, or why the one that is there is not renewed. */
  readonly fault: ProxyError | undefined;
  /** Calls the listener each time that either changes. */
  watch(listener: () => void): void;
}

/** Throws `ca_key_unusable`. */
export function heldKey(key: KeyObject, certificates: readonly string[]): HeldKey {
  const { digest } = signatureOf(key);
  return {
    certificates,
    issuer: readAuthority(certificates).issuer,
    issuerSpki: publicKeyInfo(key),
    sign: (text) => sign(digest, text, key),
  };
}
