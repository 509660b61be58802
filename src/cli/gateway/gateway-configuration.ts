// Which gateway a command is about: a configuration file, or the state folder of one.

import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';

import { embeddedConfig, loadGatewayConfig, type GatewayConfig } from '../../gateway/config/config.ts';
import { ProxyError } from '../../protocol/error.ts';

/** The configuration of the gateway that the options name. Throws `usage` or `config_invalid`. */
export async function gatewayOfOptions(values: {
  readonly config?: string | undefined;
  readonly state?: string | undefined;
}): Promise<GatewayConfig> {
  const { config, state } = values;
  if (config !== undefined && state !== undefined)
    throw new ProxyError('usage', 'give --config or --state, not both');
  if (config !== undefined) return await loadGatewayConfig(config);
  if (state === undefined)
    throw new ProxyError('usage', 'which gateway? name it by --config FILE or --state DIR');
  await requireState(state);
  return embeddedConfig(state);
}

/** A mistyped folder must not become a new, empty gateway. */
async function requireState(directory: string): Promise<void> {
  const names: readonly string[] = await readdir(directory).catch(() => []);
  if (names.includes('state.db') || names.includes('ca')) return;
  throw new ProxyError('config_invalid', `${resolve(directory)} is not the state folder of a gateway`);
}
