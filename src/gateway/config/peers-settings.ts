// What the configuration says of other gateways on the same store.

import { parseAuthority } from '../../http/authority.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { PeersDocument } from './peers-schema.ts';

export interface PeersSettings {
  readonly address: string;
  readonly port: number;
  /** By which others reach it; or the variable that has it, where one file serves several gateways. */
  readonly host: string | { readonly env: string };
  /** `host:port` of others, for a start while the store is away. */
  readonly known: readonly string[];
}

/** None where the file has no `peers`. */
export function peersSettings(document: PeersDocument | undefined): { readonly peers?: PeersSettings } {
  if (document === undefined) return {};
  const { listen, host = listen.address, known = [] } = document;
  return { peers: { ...listen, host, known } };
}

/** By which others reach it. Throws ProxyError `config_invalid` where its variable has neither a name nor an address. */
export function peerHostOf(
  { host }: Pick<PeersSettings, 'host'>,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  if (typeof host === 'string') return host;
  const value = environment[host.env] ?? '';
  try {
    return parseAuthority(value.includes(':') ? `[${value}]` : value, { defaultPort: 443 }).host;
  } catch (error) {
    const found = value === '' ? 'is not set' : 'has neither a name nor an address';
    const message = `peers.host: the environment variable ${host.env} ${found}; give it the address by which other gateways reach this one`;
    throw new ProxyError('config_invalid', message, { cause: error });
  }
}

/** That of one of several workers, counted from 1. */
export function peerPortOf({ port }: Pick<PeersSettings, 'port'>, worker: number): number {
  return port === 0 ? 0 : port + worker - 1;
}
