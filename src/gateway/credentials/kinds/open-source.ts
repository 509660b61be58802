// A source of any kind, opened with what the gateway reaches sources with.

import type { BackgroundRenewals } from '../sources/background-renewals.ts';
import { openCredentialSource } from '../sources/credential-source.ts';
import type { CredentialSource, SecretForm } from '../sources/credential-source.ts';
import type { CredentialSourceConfig } from '../sources/source-config.ts';
import type { HeldBodies } from '../request/held-bodies.ts';
import { ProxyError } from '../../../protocol/error.ts';
import type { ActingSession } from '../kept/exchanged-tokens.ts';
import type { KeptLogIns } from '../kept/log-in-tokens.ts';
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
  /** Absent: there is no store, so nobody is logged in. */
  readonly logIns?: KeptLogIns | undefined;
  /** Of a credential that is one of each session: whose it is. */
  readonly session?: ActingSession | undefined;
  /** Told of what works still and soon may not. */
  readonly onFault?: ((error: ProxyError) => void) | undefined;
  /** Told of each source: what it gives may not leave. */
  readonly onSource?: (name: string, config: CredentialSourceConfig, source: CredentialSource) => void;
}

/** @throws ProxyError config_invalid if it cannot be opened */
export function openSource(
  name: string,
  config: CredentialSourceConfig | undefined,
  { environment, vaults, onSource }: Pick<CredentialContext, 'environment' | 'vaults' | 'onSource'>,
  form: SecretForm = 'line',
): CredentialSource {
  if (config === undefined)
    throw new ProxyError('config_invalid', `credential ${name}: its kind needs a source`);
  const source =
    'vault' in config
      ? vaults.source(name, config.vault, form)
      : openCredentialSource(name, config, environment, form);
  onSource?.(name, config, source);
  return source;
}
