// What the configuration says of the keys and authorities of a gateway, which several gateways share.

import { join } from 'node:path';
import type { CredentialSourceConfig } from '../credentials/sources/source-config.ts';
import { sourceSettings } from '../credentials/sources/source-settings.ts';
import type { CertificateAuthorityDocument, IdentityDocument } from './identity-schema.ts';

/** Where the signing key and the authorities are. */
export type IdentityConfig =
  /** In the state directory: the gateway makes them. */
  | { readonly kind: 'own'; readonly directory: string }
  /** The operator put them there, and no gateway makes any. */
  | { readonly kind: 'directory'; readonly directory: string }
  | {
      readonly kind: 'store';
      readonly keyEncryptionKey: CredentialSourceConfig;
      /** Beside it while the key is changed. */
      readonly nextKeyEncryptionKey?: CredentialSourceConfig;
    };
import type { CapturedDocument } from './captured-schema.ts';
import { type SignedByConfig, signedBySettings } from './signed-by-settings.ts';
import { type CapturedSettings, capturedSettings } from './captured-settings.ts';

export interface CertificateAuthorityConfig {
  readonly directory: string;
  /** Of its key files; absent: they are not encrypted. */
  readonly passphrase?: CredentialSourceConfig;
  /** What an authority that is made may certify, with what is below; absent: every name. */
  readonly names?: readonly string[];
  /** Whether its key is in a process that does nothing else. */
  readonly separateProcess?: true;
  /** Which authority signs those of this gateway; absent: its own is in the folder, or in the store. */
  readonly signedBy?: SignedByConfig;
}

export interface IdentitySettings {
  readonly identity: IdentityConfig;
  readonly certificateAuthority: CertificateAuthorityConfig;
  /** Bodies that rules ask to be kept, and the key that seals them. */
  readonly captured: CapturedSettings;
}

export interface IdentityDocuments {
  readonly identity?: IdentityDocument | undefined;
  readonly certificateAuthority?: CertificateAuthorityDocument | undefined;
  readonly captured?: CapturedDocument | undefined;
}

type Absolute = (path: string) => string;

export function identitySettings(
  { identity: document, certificateAuthority, captured }: IdentityDocuments,
  { absolute, stateDirectory }: { readonly absolute: Absolute; readonly stateDirectory: string },
): IdentitySettings {
  const identity = identityConfig(document, { absolute, stateDirectory });
  const directory = identity.kind === 'store' ? stateDirectory : identity.directory;
  return {
    identity,
    captured: capturedSettings(captured, { absolute, stateDirectory }),
    certificateAuthority: {
      directory: absolute(certificateAuthority?.directory ?? join(directory, 'ca')),
      ...(certificateAuthority?.passphrase === undefined
        ? {}
        : { passphrase: sourceSettings(certificateAuthority.passphrase, absolute) }),
      ...(certificateAuthority?.names === undefined ? {} : { names: certificateAuthority.names }),
      ...(certificateAuthority?.separateProcess === undefined ? {} : { separateProcess: true }),
      ...(certificateAuthority?.signedBy === undefined
        ? {}
        : { signedBy: signedBySettings(certificateAuthority.signedBy, absolute) }),
    },
  };
}

function identityConfig(
  document: IdentityDocument | undefined,
  { absolute, stateDirectory }: { readonly absolute: Absolute; readonly stateDirectory: string },
): IdentityConfig {
  if (document === undefined) return { kind: 'own', directory: stateDirectory };
  const { directory, keyEncryptionKey, nextKeyEncryptionKey: next } = document;
  // The check has seen to it that one of them is there.
  if (keyEncryptionKey === undefined) return { kind: 'directory', directory: absolute(directory ?? '') };
  return {
    kind: 'store',
    keyEncryptionKey: sourceSettings(keyEncryptionKey, absolute),
    ...(next === undefined ? {} : { nextKeyEncryptionKey: sourceSettings(next, absolute) }),
  };
}
