// The cache of archives and metadata, with what the configuration leaves out.

import { join } from 'node:path';
import { type CacheBucketSettings, cacheBucketSettings } from './cache-bucket-settings.ts';
import type { CacheDocument } from './cache-schema.ts';

export interface CacheSettings {
  readonly directory: string;
  readonly keepBytes: number;
  /** Who is served by what one session fetched. */
  readonly share: 'all' | 'principal';
  /** What gateways of several machines share. */
  readonly bucket?: CacheBucketSettings;
}

export interface CacheShare {
  readonly directory: string;
  readonly keepBytes: number;
}

/** Metadata has an eighth, so that archives leave room for it, and it for them. */
export function cacheShares({ directory, keepBytes }: CacheSettings): {
  readonly archives: CacheShare;
  readonly metadata: CacheShare;
} {
  const metadataBytes = Math.floor(keepBytes / 8);
  return {
    archives: { directory, keepBytes: keepBytes - metadataBytes },
    metadata: { directory: join(directory, 'metadata'), keepBytes: metadataBytes },
  };
}

export interface CacheSetting {
  /** Absent: there is none. */
  readonly cache?: CacheSettings;
}

const keepBytesDefault = 10 * 1024 ** 3;

export function cacheSettings(
  { cache }: { readonly cache?: CacheDocument | undefined },
  {
    absolute,
    stateDirectory,
  }: { readonly absolute: (path: string) => string; readonly stateDirectory: string },
): CacheSetting {
  if (cache === undefined) return {};
  const { directory, keepBytes = keepBytesDefault, share = 'all', bucket } = cache;
  const path = directory === undefined ? join(stateDirectory, 'cache') : absolute(directory);
  return { cache: { directory: path, keepBytes, share, ...cacheBucketSettings(bucket, absolute) } };
}
