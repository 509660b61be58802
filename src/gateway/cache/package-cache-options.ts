// What the cache of archives is opened with.

import type { ProxyError } from '../../protocol/error.ts';
import type { HeldOctets } from '../../protocol/held-octets.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { CacheCount } from './asked-archive.ts';
import type { CacheBucket } from './cache-bucket.ts';
import type { CacheFolder } from './cache-folder.ts';

export interface PackageCacheOptions {
  readonly folder: CacheFolder;
  /** What gateways of other machines share with it. The caller disposes of it. */
  readonly bucket?: Pick<CacheBucket, 'bring' | 'store'> | undefined;
  readonly keepBytes: number;
  /** Who is served by what one session fetched. */
  readonly share: 'all' | 'principal';
  readonly limits: Limits;
  readonly held: HeldOctets;
  readonly clock: () => number;
  readonly onCount: (what: CacheCount, count: number) => void;
  /** Told once, until it takes something again. */
  readonly onUnwritable: (reason: string) => void;
  readonly onFault: (error: ProxyError) => void;
}
