// The vaults that keep a key-encryption key, by a way of their own: the key is needed before there is any other.

import type { GatewayConfig } from './config/config.ts';
import { BackgroundRenewals } from './credentials/sources/background-renewals.ts';
import { Vaults } from './credentials/vault/vaults.ts';
import { LoopGuard } from './forward/loop-guard.ts';
import { loadTrust } from './gateway-parts.ts';
import { readUpstreamFiles } from './open-exits.ts';
import { openUpstream } from './upstream.ts';

export interface IdentityKeysOptions {
  readonly config: GatewayConfig;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: () => number;
  /** What is opened for it ends with this. */
  readonly stack: AsyncDisposableStack;
}

export async function openIdentityVaults({
  config,
  environment,
  clock,
  stack,
}: IdentityKeysOptions): Promise<Vaults> {
  const upstream = openUpstream({
    config,
    clock,
    trust: await loadTrust(config),
    files: await readUpstreamFiles(config),
    environment,
    stack,
    loops: new LoopGuard(),
  });
  const background = stack.use(new BackgroundRenewals(config.limits));
  return stack.use(new Vaults({ environment, fetch: upstream.fetch, background }));
}
