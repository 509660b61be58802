// How the key files of the authority that intercepts are opened: with the passphrase of the configuration, from its source.

import { asProxyError, ProxyError } from '../protocol/error.ts';
import { encryptedKeyFiles, type KeyFiles, plainKeyFiles } from '../pki/key-files.ts';
import type { GatewayConfig } from './config/config.ts';
import { openCredentialSource } from './credentials/sources/credential-source.ts';
import type { CredentialSourceConfig } from './credentials/sources/source-config.ts';

const name = 'certificateAuthority.passphrase';

interface Asked {
  readonly config: GatewayConfig;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock?: () => number;
}

/** The source is asked when a file has to be opened or written, and not before. */
export function authorityKeyFiles({ config, environment, clock = Date.now }: Asked): KeyFiles {
  const { passphrase } = config.certificateAuthority;
  if (passphrase === undefined) return plainKeyFiles;
  return encryptedKeyFiles(async () => {
    try {
      return await readPassphrase(passphrase, { config, environment, clock });
    } catch (error) {
      throw new ProxyError('ca_key_unusable', asProxyError(error).message, { cause: error });
    }
  });
}

async function readPassphrase(
  source: CredentialSourceConfig,
  { config, environment, clock }: Required<Asked>,
): Promise<string> {
  if (!('vault' in source))
    return (await openCredentialSource(name, source, environment).read(clock())).reveal();
  await using stack = new AsyncDisposableStack();
  // Loaded only where it is used: commands that need no vault have nothing of the request path.
  const { openIdentityVaults } = await import('./open-identity-vaults.ts');
  const vaults = await openIdentityVaults({ config, environment, clock, stack });
  return (await vaults.source(name, source.vault, 'line').read(clock())).reveal();
}
