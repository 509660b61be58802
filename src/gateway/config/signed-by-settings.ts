// What the configuration says of the authority that signs those of gateways.

import type { CredentialSourceConfig, VaultServerConfig } from '../credentials/sources/source-config.ts';
import { sourceSettings, vaultServerSettings } from '../credentials/sources/source-settings.ts';
import type { SignedByDocument } from './signed-by-schema.ts';

export type ParentConfig =
  | {
      readonly kind: 'vaultPki';
      readonly server: VaultServerConfig;
      readonly mount: string;
      readonly issuer: string;
    }
  | {
      readonly kind: 'vaultTransit';
      readonly server: VaultServerConfig;
      readonly mount: string;
      readonly key: string;
    }
  | {
      readonly kind: 'awsKms';
      readonly region: string;
      readonly keyId: string;
      readonly endpoint: string;
      readonly accessKeyId: CredentialSourceConfig;
      readonly secretAccessKey: CredentialSourceConfig;
      readonly sessionToken?: CredentialSourceConfig;
      readonly ca?: string;
    }
  | {
      readonly kind: 'googleKms';
      readonly key: string;
      readonly endpoint: string;
      readonly accessToken: CredentialSourceConfig;
      readonly ca?: string;
    }
  | {
      readonly kind: 'pkcs11';
      readonly module: string;
      readonly token: string;
      readonly key: string;
      readonly pin: CredentialSourceConfig;
    };

export interface SignedByConfig {
  /** Path of a PEM file. */
  readonly certificates: string;
  readonly lifetimeMs: number;
  readonly parent: ParentConfig;
}

type Absolute = (path: string) => string;

const daySeconds = 86_400;

export function signedBySettings(document: SignedByDocument, absolute: Absolute): SignedByConfig {
  return {
    certificates: absolute(document.certificates),
    lifetimeMs: (document.lifetimeSeconds ?? daySeconds) * 1000,
    parent: parentSettings(document, absolute),
  };
}

function parentSettings(document: SignedByDocument, absolute: Absolute): ParentConfig {
  const { vaultPki, vaultTransit, awsKms, googleKms, pkcs11 } = document;
  if (vaultPki !== undefined) {
    const { mount = 'pki', issuer = 'default' } = vaultPki;
    return { kind: 'vaultPki', server: vaultServerSettings(vaultPki, absolute), mount, issuer };
  }
  if (vaultTransit !== undefined) {
    const { mount = 'transit', key } = vaultTransit;
    return { kind: 'vaultTransit', server: vaultServerSettings(vaultTransit, absolute), mount, key };
  }
  if (awsKms !== undefined) {
    const { region, keyId, endpoint = `https://kms.${region}.amazonaws.com`, sessionToken, ca } = awsKms;
    return {
      kind: 'awsKms',
      region,
      keyId,
      endpoint,
      accessKeyId: sourceSettings(awsKms.accessKeyId, absolute),
      secretAccessKey: sourceSettings(awsKms.secretAccessKey, absolute),
      ...(sessionToken === undefined ? {} : { sessionToken: sourceSettings(sessionToken, absolute) }),
      ...(ca === undefined ? {} : { ca: absolute(ca) }),
    };
  }
  if (googleKms !== undefined) {
    const { key, endpoint = 'https://cloudkms.googleapis.com', accessToken, ca } = googleKms;
    return {
      kind: 'googleKms',
      key,
      endpoint,
      accessToken: sourceSettings(accessToken, absolute),
      ...(ca === undefined ? {} : { ca: absolute(ca) }),
    };
  }
  // The schema has seen to it that one of them is there.
  const { module = '', token = '', key = '', pin = {} } = pkcs11 ?? {};
  return { kind: 'pkcs11', module: absolute(module), token, key, pin: sourceSettings(pin, absolute) };
}
