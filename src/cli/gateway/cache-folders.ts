// The folders of the cache that a configuration names.

import { CacheFolder } from '../../gateway/cache/cache-folder.ts';
import { type CacheShare, cacheShares } from '../../gateway/config/cache-settings.ts';
import { loadGatewayConfig } from '../../gateway/config/config.ts';
import { ProxyError } from '../../protocol/error.ts';

export interface CachePart extends CacheShare {
  readonly folder: CacheFolder;
}

export interface CacheParts {
  readonly archives: CachePart;
  /** Undefined where none was made. */
  readonly metadata: CachePart | undefined;
}

/** @throws ProxyError usage if it has none, config_invalid for a folder of somebody else */
export async function cacheFolders(config: string): Promise<CacheParts> {
  const { cache: settings } = await loadGatewayConfig(config);
  if (settings === undefined) throw new ProxyError('usage', `${config} has no \`cache\``);
  const shares = cacheShares(settings);
  const folder = await CacheFolder.existing(shares.archives.directory);
  if (folder === undefined)
    throw new ProxyError('usage', `${settings.directory} is not there: no gateway has kept anything yet`);
  const metadata = await CacheFolder.existing(shares.metadata.directory);
  return {
    archives: { ...shares.archives, folder },
    metadata: metadata && { ...shares.metadata, folder: metadata },
  };
}

export const partsOf = ({ archives, metadata }: CacheParts): readonly CachePart[] =>
  metadata === undefined ? [archives] : [archives, metadata];
