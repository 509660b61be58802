// Which gateway a command is about: a configuration file, or the state folder of one.

import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';

import { embeddedConfig, loadGatewayConfig, type GatewayConfig } from '../../gateway/config/config.ts';
import { ProxyError } from '../../protocol/error.ts';
import { noteVerbose } from '../terminal/notes.ts';

/** The configuration of the gateway that the options name. Throws `usage` or `config_invalid`. */
export async function gatewayOfOptions(values: {
  readonly config?: string | undefined;
  readonly state?: string | undefined;
  readonly verbose?: boolean | undefined;
}): Promise<GatewayConfig> {
  const found = await readGateway(values);
  noteVerbose(values, `asks the store ${storeName(found.store)}`);
  return found;
}

/** A database without user and parameters. */
function storeName(store: string): string {
  if (store.startsWith('sqlite:')) return store;
  if (!URL.canParse(store)) return 'of the configuration';
  const { protocol, host, pathname } = new URL(store);
  return `${protocol}//${host}${pathname}`;
}

async function readGateway({
  config,
  state,
}: {
  readonly config?: string | undefined;
  readonly state?: string | undefined;
}): Promise<GatewayConfig> {
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
