// The authority above the one that signs, as the configuration says, and how it is reached.

import { readCertificates } from '../pki/authority-files.ts';
import { awsKmsParent, googleKmsParent } from './custody/kms-parents.ts';
import type { Parent } from './custody/parent.ts';
import { pkcs11Parent } from './custody/pkcs11-parent.ts';
import { vaultPkiParent, vaultTransitParent } from './custody/vault-parents.ts';
import type { SignedByConfig } from './config/signed-by-settings.ts';
import { openSource } from './credentials/kinds/open-source.ts';
import { AwsKeySet } from './credentials/sigv4/aws-keys.ts';
import { BackgroundRenewals } from './credentials/sources/background-renewals.ts';
import type { CredentialSource } from './credentials/sources/credential-source.ts';
import type { CredentialSourceConfig, VaultServerConfig } from './credentials/sources/source-config.ts';
import { VaultClient } from './credentials/vault/vault-client.ts';
import { Vaults } from './credentials/vault/vaults.ts';
import type { ServiceFetch } from './forward/service-fetch.ts';
import type { SignerProcess, SignerStart } from './open-custody.ts';
import { openOwnUpstream } from './open-own-upstream.ts';

interface Ways {
  readonly fetch: ServiceFetch;
  readonly source: (config: CredentialSourceConfig) => CredentialSource;
  readonly vault: (server: VaultServerConfig) => VaultClient;
}

/** It goes out as the gateway does: by its name servers, its proxy and its roots. */
async function openSignerWays(
  { config, environment }: SignerStart,
  clock: () => number,
  stack: AsyncDisposableStack,
): Promise<Ways> {
  const { fetch } = await openOwnUpstream({ config, environment, clock, stack });
  const background = stack.use(new BackgroundRenewals(config.limits));
  const vaults = stack.use(new Vaults({ environment, fetch, background }));
  return {
    fetch,
    source: (one) => openSource('of certificateAuthority.signedBy', one, { environment, vaults }),
    vault: (server) => new VaultClient({ server, environment, fetch, background }),
  };
}

export async function openParent(
  { parent }: SignedByConfig,
  start: SignerStart,
  { clock, signPkcs11 }: SignerProcess,
  stack: AsyncDisposableStack,
): Promise<Parent> {
  const { fetch, source, vault } = await openSignerWays(start, clock, stack);
  switch (parent.kind) {
    case 'vaultPki':
      return vaultPkiParent(vault(parent.server), parent, clock);
    case 'vaultTransit':
      return vaultTransitParent(vault(parent.server), parent, clock);
    case 'awsKms': {
      const { accessKeyId, secretAccessKey: secret, sessionToken, ca, ...key } = parent;
      const keys = new AwsKeySet('of certificateAuthority.signedBy', {
        keyId: source(accessKeyId),
        secret: source(secret),
        token: sessionToken === undefined ? undefined : source(sessionToken),
      });
      return awsKmsParent({ ...key, keys, fetch, clock, ...(await caOf(ca)) });
    }
    case 'googleKms': {
      const { accessToken: token, ca, ...key } = parent;
      return googleKmsParent({ ...key, source: source(token), fetch, clock, ...(await caOf(ca)) });
    }
    case 'pkcs11': {
      const { pin, ...key } = parent;
      return pkcs11Parent({ ...key, pin: source(pin), clock, sign: signPkcs11 });
    }
  }
}

async function caOf(path: string | undefined): Promise<{ readonly ca?: readonly string[] }> {
  return path === undefined ? {} : { ca: await readCertificates(path) };
}
