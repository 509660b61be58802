// The keys and authorities of a configuration, in files or in the store, as commands use them.

import type { GatewayConfig } from '../../gateway/config/config.ts';
import { openConfiguredStore } from '../../gateway/config/store-settings.ts';
import { identityPlaces, type IdentityPlaces } from '../../gateway/identity/identity-places.ts';
import type { SealedStore } from '../../gateway/identity/sealed-store.ts';
import { placesOf } from '../../gateway/identity/stored-identity.ts';
import { authorityKeyFiles } from '../../gateway/open-authority-keys.ts';
import { isSharedStore, openSealedStore } from '../../gateway/open-gateway-keys.ts';
import type { KeyFiles } from '../../pki/key-files.ts';
import type { GatewayStore, IdentityStore } from '../../store/gateway-store.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';

export interface AskedStore {
  readonly identity: IdentityStore;
  readonly gateways: Pick<GatewayStore, 'current' | 'away'>;
  readonly isShared: boolean;
}

/** Opens the store for as long as `use` takes; `isReader` is for who writes nothing. */
export async function withStore<T>(
  config: GatewayConfig,
  use: (store: AskedStore) => Promise<T>,
  access: { readonly isReader?: boolean } = {},
): Promise<T> {
  await using store = await openConfiguredStore(config, workloadEnvironment(process.env), access);
  const { identity, gateways } = store;
  return await use({ identity, gateways, isShared: isSharedStore(store) });
}

/** For an identity in the store; undefined for one in files. */
export async function withSealed<T>(
  config: GatewayConfig,
  use: (sealed: SealedStore, store: AskedStore) => Promise<T>,
  access: { readonly isReader?: boolean } = {},
): Promise<T | undefined> {
  const { identity } = config;
  if (identity.kind !== 'store') return undefined;
  return await withStore(
    config,
    async (store) => {
      await using stack = new AsyncDisposableStack();
      const environment = workloadEnvironment(process.env);
      const options = { config, environment, clock: Date.now, stack };
      const { sealed } = await openSealedStore(identity, options, store.identity);
      return await use(sealed, store);
    },
    access,
  );
}

/** Those in files are made where they are missing and the gateway would make them; nothing is made in a store. */
export async function placesOfConfig(config: GatewayConfig): Promise<IdentityPlaces> {
  const stored = await withSealed(
    config,
    async (sealed) => {
      const { document } = await sealed.readOne();
      const { signingKey, authority } = placesOf(() => document);
      return {
        signingKey,
        interception: authority('interception'),
        server: authority('server'),
        peers: authority('peers'),
      };
    },
    { isReader: true },
  );
  return stored ?? identityPlaces(config, keyFilesOf(config));
}

/** How the key files of its authority that intercepts are opened. */
export function keyFilesOf(config: GatewayConfig): KeyFiles {
  return authorityKeyFiles({ config, environment: workloadEnvironment(process.env) });
}
