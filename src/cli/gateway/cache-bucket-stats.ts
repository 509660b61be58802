// What the bucket of the cache has, asked with the keys of the gateway.

import { bucketReason } from '../../gateway/cache/bucket-client.ts';
import { type BucketStats, bucketStats } from '../../gateway/cache/bucket-room.ts';
import type { CacheBucketSettings } from '../../gateway/config/cache-bucket-settings.ts';
import type { GatewayConfig } from '../../gateway/config/config.ts';
import { LoopGuard } from '../../gateway/forward/loop-guard.ts';
import { loadTrust } from '../../gateway/gateway-parts.ts';
import { readUpstreamFiles } from '../../gateway/open-exits.ts';
import { openBucketClient } from '../../gateway/open-bucket.ts';
import { openUpstream } from '../../gateway/upstream.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';

export type AskedBucket = Pick<CacheBucketSettings, 'url' | 'name' | 'keepBytes'> &
  ({ readonly stats: BucketStats } | { readonly away: string });

/** Undefined where there is none. @throws ProxyError config_invalid */
export async function askBucket(config: GatewayConfig): Promise<AskedBucket | undefined> {
  const bucket = config.cache?.bucket;
  if (bucket === undefined) return undefined;
  await using stack = new AsyncDisposableStack();
  const environment = workloadEnvironment(process.env);
  const common = { environment, clock: Date.now, stack };
  const upstream = openUpstream({
    ...common,
    config,
    trust: await loadTrust(config),
    files: await readUpstreamFiles(config),
    loops: new LoopGuard(),
  });
  const client = await openBucketClient(bucket, { ...common, limits: config.limits, upstream });
  const { url, name, keepBytes } = bucket;
  try {
    const signal = AbortSignal.timeout(defaultLimits.cacheBucketLookMs);
    return { url, name, keepBytes, stats: await bucketStats(client, signal) };
  } catch (error) {
    return { url, name, keepBytes, away: bucketReason(error) };
  }
}
