// A bucket as caches of several machines share it, without a configuration.

import { once } from 'node:events';
import { connect } from 'node:net';
import { BucketClient, type BucketPlace } from '../../../src/gateway/cache/bucket-client.ts';
import { CacheBucket, type CacheBucketOptions } from '../../../src/gateway/cache/cache-bucket.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { Secret } from '../../../src/protocol/secret.ts';
import { type S3Server, s3Keys } from './s3-server.ts';

export function bucketClient(
  server: Pick<S3Server, 'url' | 'bucket'>,
  place: Partial<BucketPlace> = {},
  keys: { readonly accessKeyId: string; readonly secretAccessKey: string } = s3Keys,
): BucketClient {
  const { port, hostname } = new URL(server.url);
  return new BucketClient({
    place: {
      url: server.url,
      name: server.bucket,
      region: 'eu-test-1',
      prefix: 'shared',
      pathStyle: true,
      ...place,
    },
    keys: {
      read: () =>
        Promise.resolve({
          accessKeyId: keys.accessKeyId,
          secretAccessKey: new Secret(keys.secretAccessKey),
          sessionToken: undefined,
        }),
    },
    dial: async () => {
      const socket = connect(Number(port), hostname);
      await once(socket, 'connect');
      return socket;
    },
    clock: Date.now,
  });
}

export interface TestBucket extends AsyncDisposable {
  readonly bucket: CacheBucket;
  readonly counts: Map<string, number>;
  readonly away: string[];
  readonly damaged: string[];
  readonly faults: unknown[];
}

export function openTestBucket(
  server: Pick<S3Server, 'url' | 'bucket'>,
  { client = bucketClient(server), ...options }: Partial<CacheBucketOptions> = {},
): TestBucket {
  const counts: TestBucket['counts'] = new Map();
  const [away, damaged, faults]: [string[], string[], unknown[]] = [[], [], []];
  const bucket = new CacheBucket({
    client,
    keepBytes: 1024 ** 3,
    // A busy machine is not a bucket that is away.
    limits: { ...defaultLimits, cacheBucketAskMs: 60_000, cacheBucketReadMs: 60_000 },
    clock: Date.now,
    isOnDuty: () => true,
    onCount: (what, count) => void counts.set(what, (counts.get(what) ?? 0) + count),
    onAway: (reason) => away.push(reason),
    onDamaged: (name) => damaged.push(name),
    onFault: (error) => faults.push(error),
    ...options,
  });
  return {
    bucket,
    counts,
    away,
    damaged,
    faults,
    [Symbol.asyncDispose]: async () => {
      await bucket[Symbol.asyncDispose]();
      if (client instanceof BucketClient) await client[Symbol.asyncDispose]();
    },
  };
}
