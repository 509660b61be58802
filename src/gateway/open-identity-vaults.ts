// The vaults that keep a key-encryption key, by a way of their own: the key is needed before there is any other.

import { BackgroundRenewals } from './credentials/sources/background-renewals.ts';
import { Vaults } from './credentials/vault/vaults.ts';
import { openOwnUpstream, type OwnUpstreamOptions } from './open-own-upstream.ts';

export type IdentityKeysOptions = OwnUpstreamOptions;

export async function openIdentityVaults(options: IdentityKeysOptions): Promise<Vaults> {
  const { config, environment, stack } = options;
  const upstream = await openOwnUpstream(options);
  const background = stack.use(new BackgroundRenewals(config.limits));
  return stack.use(new Vaults({ environment, fetch: upstream.fetch, background }));
}
