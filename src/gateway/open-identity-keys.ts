// The key-encryption keys of a configuration, from their sources.

import type { Secret } from '../protocol/secret.ts';
import { asProxyError } from '../protocol/error.ts';
import { noSealingKey } from '../system/sealed-octets.ts';
import type { IdentityConfig } from './config/identity-settings.ts';
import { openCredentialSource, type CredentialSource } from './credentials/sources/credential-source.ts';
import type { CredentialSourceConfig } from './credentials/sources/source-config.ts';
import type { IdentityKeysOptions } from './open-identity-vaults.ts';
import type { Vaults } from './credentials/vault/vaults.ts';
import { type KeyEncryptionKey, keyEncryptionKeyOf } from './identity/key-encryption-key.ts';
import { unusable } from './identity/sealed-identity.ts';

type StoredConfig = Extract<IdentityConfig, { readonly kind: 'store' }>;

/** Asks the sources each time. What it gives throws `identity_unusable`, which has nothing of a key. */
export async function openIdentityKeys(
  { keyEncryptionKey, nextKeyEncryptionKey }: StoredConfig,
  options: IdentityKeysOptions,
): Promise<() => Promise<readonly KeyEncryptionKey[]>> {
  const named = [
    { name: 'identity.keyEncryptionKey', config: keyEncryptionKey },
    ...(nextKeyEncryptionKey === undefined
      ? []
      : [{ name: 'identity.nextKeyEncryptionKey', config: nextKeyEncryptionKey }]),
  ];
  const isVault = named.some(({ config }) => 'vault' in config);
  // Loaded only where it is used: commands that need a key otherwise have nothing of the request path.
  const vaults = isVault
    ? await (await import('./open-identity-vaults.ts')).openIdentityVaults(options)
    : undefined;
  const sources = named.map(({ name, config }) => ({
    name,
    source: openSource(name, config, { ...options, vaults }),
  }));
  return () => Promise.all(sources.map(({ name, source }) => readKey(name, source, options.clock())));
}

function openSource(
  name: string,
  config: CredentialSourceConfig,
  { environment, vaults }: Pick<IdentityKeysOptions, 'environment'> & { readonly vaults: Vaults | undefined },
): CredentialSource {
  try {
    if (!('vault' in config)) return openCredentialSource(name, config, environment);
    if (vaults === undefined) throw unusable(`${name}: there is no way to a vault`);
    return vaults.source(name, config.vault, 'line');
  } catch (error) {
    throw unusable(asProxyError(error).message, error);
  }
}

async function readKey(name: string, source: CredentialSource, nowMs: number): Promise<KeyEncryptionKey> {
  const secret: Secret<string> = await source.read(nowMs).catch((error: unknown) => {
    throw unusable(asProxyError(error).message, error);
  });
  const key = keyEncryptionKeyOf(secret.reveal());
  if (key === undefined) throw unusable(noSealingKey(name));
  return key;
}
