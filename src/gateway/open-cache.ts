// The cache of a gateway, as its configuration says.

import { auditEventVersion } from '../api/audit-event-version.ts';
import type { HeldOctets } from '../protocol/held-octets.ts';
import type { DurableAuditSink } from './audit/audit-log.ts';
import { newEventId, newTraceId } from './audit/event-identity.ts';
import { CacheFolder } from './cache/cache-folder.ts';
import { shortDisk } from './cache/cache-room.ts';
import { MetadataCache } from './cache/metadata-cache.ts';
import { PackageCache } from './cache/package-cache.ts';
import { cacheShares } from './config/cache-settings.ts';
import type { Start } from './gateway-start.ts';

export interface OpenCache {
  /** Undefined: there is none. */
  readonly cache: PackageCache | undefined;
  readonly metadata: MetadataCache | undefined;
}

/** @throws ProxyError config_invalid for a folder that others can use */
export async function openCache(
  { config: { cache: settings, limits }, clock, log, metrics, onFault, stack }: Start,
  held: HeldOctets,
  audit: Pick<DurableAuditSink, 'append'>,
): Promise<OpenCache> {
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
  const onUnwritable = (reason: string): void =>
    audit.append({
      v: auditEventVersion,
      id: newEventId(),
      time: new Date(clock()).toISOString(),
      kind: 'alarm',
      action: 'cache_unwritable',
      traceId: newTraceId(),
      verdict: 'error',
      message: `The cache in ${directory} takes nothing more: ${reason}. Archives come from their registries until it does.`,
    });
  const common = { share, limits, held, clock, onUnwritable, onFault };
  const cache = stack.use(
    new PackageCache({
      ...common,
      folder,
      keepBytes: shares.archives.keepBytes,
      onCount: (what, count) => metrics.countCache(what, count),
    }),
  );
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
