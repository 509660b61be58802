// A source of any kind, opened with what the gateway reaches sources with.

import type { BackgroundRenewals } from '../sources/background-renewals.ts';
import { openCredentialSource } from '../sources/credential-source.ts';
import type { CredentialSource, SecretForm } from '../sources/credential-source.ts';
import type { CredentialSourceConfig } from '../sources/source-config.ts';
import type { HeldBodies } from '../request/held-bodies.ts';
import type { ServiceFetch } from '../../forward/service-fetch.ts';
import type { VaultSources } from '../vault/vaults.ts';

/** What sources and issuers are reached with. */
export interface CredentialContext {
  /** The start-up environment, read once. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly fetch: ServiceFetch;
  readonly vaults: VaultSources;
  readonly held: HeldBodies;
  readonly background: BackgroundRenewals;
  /** Told of each source: what it gives may not leave. */
  readonly onSource?: (name: string, config: CredentialSourceConfig, source: CredentialSource) => void;
}

/** @throws ProxyError config_invalid if it cannot be opened */
export function openSource(
  name: string,
  config: CredentialSourceConfig,
  { environment, vaults, onSource }: Pick<CredentialContext, 'environment' | 'vaults' | 'onSource'>,
  form: SecretForm = 'line',
): CredentialSource {
  const source =
    'vault' in config
      ? vaults.source(name, config.vault, form)
      : openCredentialSource(name, config, environment, form);
  onSource?.(name, config, source);
  return source;
}
