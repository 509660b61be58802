// The folders of the cache that a configuration names.

import { CacheFolder } from '../../gateway/cache/cache-folder.ts';
import { type CacheShare, cacheShares } from '../../gateway/config/cache-settings.ts';
import { type GatewayConfig, loadGatewayConfig } from '../../gateway/config/config.ts';
import { ProxyError } from '../../protocol/error.ts';

export interface CachePart extends CacheShare {
  readonly folder: CacheFolder;
}

export interface CacheParts {
  readonly config: GatewayConfig;
  readonly archives: CachePart;
  /** Undefined where none was made. */
  readonly metadata: CachePart | undefined;
}

/** @throws ProxyError usage if it has none, config_invalid for a folder of somebody else */
export async function cacheFolders(file: string): Promise<CacheParts> {
  const config = await loadGatewayConfig(file);
  const { cache: settings } = config;
  if (settings === undefined) throw new ProxyError('usage', `${file} has no \`cache\``);
  const shares = cacheShares(settings);
  const folder = await CacheFolder.existing(shares.archives.directory);
  if (folder === undefined)
    throw new ProxyError('usage', `${settings.directory} is not there: no gateway has kept anything yet`);
  const metadata = await CacheFolder.existing(shares.metadata.directory);
  return {
    config,
    archives: { ...shares.archives, folder },
    metadata: metadata && { ...shares.metadata, folder: metadata },
  };
}

export const partsOf = ({ archives, metadata }: Omit<CacheParts, 'config'>): readonly CachePart[] =>
  metadata === undefined ? [archives] : [archives, metadata];
