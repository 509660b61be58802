// The cache of a gateway, as its configuration says.

import { auditEventVersion } from '../api/audit-event-version.ts';
import type { HeldOctets } from '../protocol/held-octets.ts';
import type { DurableAuditSink } from './audit/audit-log.ts';
import { newEventId, newTraceId } from './audit/event-identity.ts';
import { CacheBucket } from './cache/cache-bucket.ts';
import { CacheFolder } from './cache/cache-folder.ts';
import { shortDisk } from './cache/cache-room.ts';
import { MetadataCache } from './cache/metadata-cache.ts';
import { PackageCache } from './cache/package-cache.ts';
import { cacheShares } from './config/cache-settings.ts';
import type { Start } from './gateway-start.ts';
import { openBucketClient } from './open-bucket.ts';
import type { Upstream } from './upstream.ts';

export interface OpenCache {
  /** Undefined: there is none. */
  readonly cache: PackageCache | undefined;
  readonly metadata: MetadataCache | undefined;
}

export interface CacheNeeds {
  readonly held: HeldOctets;
  readonly audit: Pick<DurableAuditSink, 'append'>;
  readonly upstream: Pick<Upstream, 'fetch' | 'dialersBy'>;
}

/** @throws ProxyError config_invalid for a folder that others can use */
export async function openCache(start: Start, { held, audit, upstream }: CacheNeeds): Promise<OpenCache> {
  const { clock, log, metrics, onFault, stack } = start;
  const { cache: settings, limits } = start.config;
  if (settings === undefined) return { cache: undefined, metadata: undefined };
  const { directory, keepBytes, share } = settings;
  const folder = await CacheFolder.open(directory);
  const mostBytes = shortDisk(keepBytes, await folder.disk(), limits.cacheDiskReserveBytes);
  if (mostBytes !== undefined)
    log(
      'warn',
      `the disk of the cache ${directory} is smaller than cache.keepBytes (${String(keepBytes)}): it takes ${String(mostBytes)} bytes at most, and less where others write the disk`,
    );
  const shares = cacheShares(settings);
  const alarm = (action: string, message: string): void => tellAlarm(audit, clock, { action, message });
  const onUnwritable = (reason: string): void =>
    alarm(
      'cache_unwritable',
      `The cache in ${directory} takes nothing more: ${reason}. Archives come from their registries until it does.`,
    );
  const common = { share, limits, held, clock, onUnwritable, onFault };
  const bucket = await openBucket(start, upstream, alarm);
  const cache = stack.use(
    new PackageCache({
      ...common,
      folder,
      bucket,
      keepBytes: shares.archives.keepBytes,
      onCount: (what, count) => metrics.countCache(what, count),
    }),
  );
  // It ends before the folder into which it brings.
  stack.use(bucket);
  const metadata = stack.use(
    new MetadataCache({
      ...common,
      folder: await CacheFolder.open(shares.metadata.directory),
      keepBytes: shares.metadata.keepBytes,
      onCount: (what, count) => metrics.countCache(`metadata_${what}`, count),
    }),
  );
  return { cache, metadata };
}

async function openBucket(
  { config, environment, clock, metrics, onFault, stack, isOnDuty }: Start,
  upstream: CacheNeeds['upstream'],
  alarm: (action: string, message: string) => void,
): Promise<CacheBucket | undefined> {
  const { limits, cache } = config;
  const settings = cache?.bucket;
  if (settings === undefined) return undefined;
  const { name, keepBytes } = settings;
  const client = await openBucketClient(settings, { environment, clock, limits, upstream, stack });
  return new CacheBucket({
    client,
    keepBytes,
    limits,
    clock,
    isOnDuty,
    onFault,
    onCount: (what, count) => metrics.countCache(what, count),
    onAway: (reason) =>
      alarm(
        'cache_bucket_away',
        `The bucket ${name} of the cache cannot be used: ${reason}. What the disk does not have comes from its registry until it can.`,
      ),
    onDamaged: (archive) =>
      alarm(
        'cache_bucket_damaged',
        `The bucket ${name} of the cache had something else than the archive ${archive}, and it was removed. It was given to nobody. Who can write the bucket?`,
      ),
  });
}

function tellAlarm(
  audit: CacheNeeds['audit'],
  clock: () => number,
  { action, message }: { readonly action: string; readonly message: string },
): void {
  audit.append({
    v: auditEventVersion,
    id: newEventId(),
    time: new Date(clock()).toISOString(),
    kind: 'alarm',
    action,
    traceId: newTraceId(),
    verdict: 'error',
    message,
  });
}
