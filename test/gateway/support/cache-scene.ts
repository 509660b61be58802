// A cache in a folder of its own, and what it told.

import { CacheFolder } from '../../../src/gateway/cache/cache-folder.ts';
import type { CacheCount } from '../../../src/gateway/cache/asked-archive.ts';
import type { PackageCacheOptions } from '../../../src/gateway/cache/package-cache-options.ts';
import { PackageCache } from '../../../src/gateway/cache/package-cache.ts';
import { HeldOctets } from '../../../src/protocol/held-octets.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

/** How long the archives of the process are that is killed. */
export const killedBytes = 700_000;

export interface TestCache extends AsyncDisposable {
  readonly cache: PackageCache;
  readonly folder: CacheFolder;
  /** How often what was counted. */
  readonly counts: Map<CacheCount, number>;
  readonly unwritable: string[];
  readonly faults: unknown[];
}

export async function openTestCache(
  directory: string,
  options: Partial<PackageCacheOptions> = {},
): Promise<TestCache> {
  const folder = options.folder ?? (await CacheFolder.open(directory));
  const counts: TestCache['counts'] = new Map();
  const unwritable: string[] = [];
  const faults: unknown[] = [];
  const cache = new PackageCache({
    keepBytes: 64 * 1024 ** 2,
    share: 'all',
    limits: defaultLimits,
    held: new HeldOctets(),
    clock: Date.now,
    onCount: (what, count) => void counts.set(what, (counts.get(what) ?? 0) + count),
    onUnwritable: (reason) => unwritable.push(reason),
    onFault: (error) => faults.push(error),
    ...options,
    folder,
  });
  return {
    cache,
    folder,
    counts,
    unwritable,
    faults,
    [Symbol.asyncDispose]: () => cache[Symbol.asyncDispose](),
  };
}
