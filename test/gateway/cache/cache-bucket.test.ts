// Caches of several machines with one bucket between them: who gets what, and what a bucket can do that is hostile, slow or away.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { BucketClient } from '../../../src/gateway/cache/bucket-client.ts';
import { bucketEntryName } from '../../../src/gateway/cache/bucket-entry.ts';
import type { CacheBucketOptions } from '../../../src/gateway/cache/cache-bucket.ts';
import { keyText } from '../../../src/gateway/cache/cache-entry.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { waitUntil } from '../../support/program.ts';
import { temporaryDirectory, withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { bucketClient, openTestBucket, type TestBucket } from '../support/bucket-scene.ts';
import { openTestCache, type TestCache } from '../support/cache-scene.ts';
import { openS3Server, type S3Fault, type S3Server } from '../support/s3-server.ts';
import { fetchBy, promiseOf, ScriptedClient, scriptedOrigin } from '../support/scripted-origin.ts';

const octets = Buffer.alloc(20_000, 'an archive of everybody, ');
const promised = promiseOf(octets);
const objectKey = `shared/objects/${createHash('sha256').update(octets).digest('hex')}`;
const keyOf = (path: string): string =>
  keyText({
    registry: 'npm',
    root: 'https://registry.test:443',
    name: path,
    url: `https://registry.test:443${path}`,
    reach: [],
  });
const entryKeyOf = (path: string, promise = promised): string =>
  `shared/${bucketEntryName(keyOf(path), promise)}`;

interface Machine extends AsyncDisposable {
  readonly cache: TestCache;
  readonly bucket: TestBucket;
}

async function openMachine(
  directory: string,
  server: S3Server,
  options: Partial<CacheBucketOptions> = {},
): Promise<Machine> {
  const bucket = openTestBucket(server, options);
  const cache = await openTestCache(directory, { bucket: bucket.bucket });
  return {
    cache,
    bucket,
    [Symbol.asyncDispose]: async () => {
      await cache[Symbol.asyncDispose]();
      await bucket[Symbol.asyncDispose]();
    },
  };
}

/** A machine that has stored what it fetched of `paths`, and is gone. */
async function fill(directory: string, server: S3Server, paths: readonly string[]): Promise<void> {
  await using machine = await openMachine(directory, server);
  const origin = scriptedOrigin(() => ({ octets, fields: ['content-type', 'application/gzip'] }));
  for (const path of paths) await fetchBy(machine.cache.cache, origin, { path, promised });
  const { counts } = machine.bucket;
  await waitUntil('it is in the bucket', () => counts.get('bucket_stored') === paths.length);
}

/** What `fill` leaves of four archives, made once. */
let filled: Promise<S3Server['objects']> | undefined;

async function openFilled(): Promise<S3Server> {
  filled ??= (async () => {
    await using directory = await temporaryDirectory();
    await using server = await openS3Server();
    await fill(join(directory.path, 'first'), server, ['/a', '/b', '/c', '/d']);
    return server.objects;
  })();
  const server = await openS3Server();
  for (const [key, object] of await filled) server.objects.set(key, { ...object });
  return server;
}

const refusing = scriptedOrigin(() => assert.fail('the origin is asked'));

test('what one machine fetched another one has from the bucket, once for all that ask', () =>
  withTemporaryDirectory(async (directory) => {
    await using server = await openS3Server({ pageMax: 2 });
    const paths = ['/a', '/@scope%2fname/-/name-1.0.0+x.tgz', '/ü?&<>"\'/../x'];
    await fill(join(directory, 'one'), server, paths);
    assert.deepEqual(
      [...server.objects.keys()].sort(),
      [...paths.map((path) => entryKeyOf(path)), objectKey].sort(),
    );
    assert.equal(server.asked.filter((what) => what === `PUT ${objectKey}`).length, 1);
    await using other = await openMachine(join(directory, 'two'), server);
    server.asked.length = 0;
    for (const path of paths) {
      const all = await Promise.all(
        Array.from({ length: 20 }, () => fetchBy(other.cache.cache, refusing, { path, promised })),
      );
      for (const { client, sources } of all) {
        assert.deepEqual(sources, ['hit']);
        assert.ok(client.body.equals(octets));
        assert.equal(client.headers.first('content-type'), 'application/gzip');
      }
    }
    assert.deepEqual(
      server.asked.filter((what) => what.startsWith('GET')),
      paths.flatMap((path) => [`GET ${entryKeyOf(path)}`, `GET ${objectKey}`]),
    );
    assert.equal(other.bucket.counts.get('bucket_hit'), 3);
    assert.deepEqual([server.refused, other.cache.faults, other.bucket.away], [[], [], []]);
  }));

test('the bucket is asked for whole archives alone, and says nothing of what is promised', () =>
  withTemporaryDirectory(async (directory) => {
    await using server = await openFilled();
    await using other = await openMachine(join(directory, 'two'), server);
    server.asked.length = 0;
    const key = { registry: 'npm', root: 'https://registry.test:443', name: '/a', url: 'x', reach: [] };
    assert.equal(await other.cache.cache.promised(key), undefined);
    const origin = scriptedOrigin(() => ({ octets }));
    await fetchBy(other.cache.cache, origin, { promised, method: 'HEAD' });
    assert.deepEqual(server.asked, []);
    const else_ = Buffer.alloc(10, 'published again');
    const { client } = await fetchBy(
      other.cache.cache,
      scriptedOrigin(() => ({ octets: else_ })),
      { promised: promiseOf(else_) },
    );
    assert.ok(client.body.equals(else_));
  }));

/** What whoever can write the bucket puts there. */
const poisons: Readonly<Record<string, (server: S3Server) => void>> = {
  'other octets of the same length': ({ objects }) =>
    put(objects, objectKey, Buffer.alloc(octets.length, 'evil')),
  'a shorter object': ({ objects }) => put(objects, objectKey, octets.subarray(1)),
  'a longer object': ({ objects }) => put(objects, objectKey, Buffer.concat([octets, octets])),
  'an empty object': ({ objects }) => put(objects, objectKey, Buffer.alloc(0)),
  'another archive under the name of this one': ({ objects }) => {
    const evil = Buffer.alloc(1000, 'evil');
    const sha256 = createHash('sha256').update(evil).digest('hex');
    put(objects, `shared/objects/${sha256}`, evil);
    change(objects, { sha256, bytes: evil.length });
  },
  'a length that is not that': ({ objects }) => change(objects, { bytes: 5 }),
  'a list of fields that is none of ours': ({ objects }) =>
    change(objects, {
      fields: [
        ['set-cookie', 'a=b'],
        ['Content-Type', 'text/html'],
        ['x-evil', 'a\r\nb'],
      ],
    }),
  'the entry of another request': ({ objects }) => change(objects, { key: keyOf('/b') }),
  'an entry of another promise': ({ objects }) => change(objects, { promised: promiseOf(Buffer.from('x')) }),
  'no entry': ({ objects }) => put(objects, entryKeyOf('/a'), Buffer.from('{"v":1')),
  'an entry without an end': ({ objects }) => put(objects, entryKeyOf('/a'), Buffer.alloc(5_000_000, '[')),
  'an object that is away': ({ objects }) => void objects.delete(objectKey),
};

function put(objects: S3Server['objects'], key: string, value: Buffer): void {
  objects.set(key, { octets: value, storedMs: Date.now() });
}

function change(objects: S3Server['objects'], to: object): void {
  const entry: unknown = JSON.parse(String(objects.get(entryKeyOf('/a'))?.octets));
  put(objects, entryKeyOf('/a'), Buffer.from(JSON.stringify({ ...(entry as object), ...to })));
}

describe('nothing that was put into the bucket reaches a client', () => {
  for (const [what, poison] of Object.entries(poisons))
    test(what, () =>
      withTemporaryDirectory(async (directory) => {
        await using server = await openFilled();
        poison(server);
        await using other = await openMachine(join(directory, 'two'), server);
        const origin = scriptedOrigin(() => ({ octets, fields: ['content-type', 'application/gzip'] }));
        const { client } = await fetchBy(other.cache.cache, origin, { promised });
        assert.ok(client.body.equals(octets));
        assert.equal(client.headers.first('set-cookie'), undefined);
        assert.equal(client.headers.first('x-evil'), undefined);
        if (origin.asked.length === 0) return;
        // The bucket has it again as it was.
        await waitUntil('it is written anew', () => other.bucket.counts.get('bucket_stored') === 1);
        assert.ok(server.objects.get(objectKey)?.octets.equals(octets));
        assert.match(
          String(server.objects.get(entryKeyOf('/a'))?.octets),
          /"bytes":20000,"fields":\[\["content-type"/,
        );
      }),
    );
});

test('whoever finds something else in the bucket removes it, and tells it once', () =>
  withTemporaryDirectory(async (directory) => {
    await using server = await openFilled();
    put(server.objects, objectKey, Buffer.alloc(octets.length, 'evil'));
    await using other = await openMachine(join(directory, 'two'), server, {
      client: readOnly(bucketClient(server)),
    });
    const origin = scriptedOrigin(() => ({ octets }));
    for (const path of ['/a', '/b']) await fetchBy(other.cache.cache, origin, { path, promised });
    assert.deepEqual(other.bucket.damaged, ['/a']);
    assert.equal(server.objects.has(objectKey), false);
    assert.equal(server.objects.has(entryKeyOf('/a')), false);
    assert.equal(origin.asked.length, 2);
  }));

/** One that writes nothing. */
function readOnly(client: BucketClient): CacheBucketOptions['client'] {
  return {
    read: (name, options, take) => client.read(name, options, take),
    remove: (name, signal) => client.remove(name, signal),
    page: (token, signal) => client.page(token, signal),
    bytes: (_, signal) => new Promise((__, reject) => signal.addEventListener('abort', reject)),
    write: () => assert.fail('it is written'),
  };
}

const outages: Readonly<
  Record<string, readonly [fault: S3Fault, on: 'entries' | 'objects', reason: RegExp]>
> = {
  'says nothing of an archive': [{ kind: 'hang' }, 'entries', /in time/],
  'stops in the midst of one': [
    { kind: 'octets', octets: octets.subarray(0, 1000), length: octets.length, hangs: true },
    'objects',
    /in time/,
  ],
  'breaks off': [{ kind: 'reset' }, 'objects', /./],
  refuses: [{ kind: 'status', status: 403, code: 'AccessDenied' }, 'entries', /403 \(AccessDenied\)/],
  'is too busy': [{ kind: 'status', status: 503, code: 'SlowDown' }, 'objects', /503 \(SlowDown\)/],
  'is not there': [{ kind: 'status', status: 404, code: 'NoSuchBucket' }, 'entries', /NoSuchBucket/],
  'leads elsewhere': [{ kind: 'status', status: 301, code: 'PermanentRedirect' }, 'entries', /region/],
};

describe('an install goes on with a bucket that', () => {
  for (const [what, [fault, on, reason]] of Object.entries(outages))
    test(what, () =>
      withTemporaryDirectory(async (directory) => {
        let nowMs = 1_900_000_000_000;
        await using server = await openFilled();
        server.fault = (_, key) => (key.includes(on) ? fault : undefined);
        const limits = {
          ...defaultLimits,
          cacheBucketAskMs: fault.kind === 'hang' ? 100 : 60_000,
          cacheBucketReadMs: fault.kind === 'octets' ? 100 : 60_000,
        };
        const clock = (): number => nowMs;
        await using other = await openMachine(join(directory, 'two'), server, { clock, limits });
        const origin = scriptedOrigin(() => ({ octets }));
        const get = async (path: string): Promise<number> => {
          const { client } = await fetchBy(other.cache.cache, origin, { path, promised });
          assert.ok(client.body.equals(octets));
          // It is not written either; nothing of it asks any more.
          const fetched = origin.asked.length;
          await waitUntil('it is dropped', () => other.bucket.counts.get('bucket_dropped') === fetched);
          return server.asked.length;
        };
        await get('/a');
        const asked = server.asked.length;
        // It is left alone, and told of once.
        assert.equal(await get('/b'), asked);
        nowMs += defaultLimits.cacheRetryMs;
        assert.ok((await get('/c')) > asked);
        assert.equal(other.bucket.away.length, 1);
        assert.match(other.bucket.away[0] ?? '', reason);
        server.fault = undefined;
        // A busy machine is not an outage.
        Object.assign(limits, { cacheBucketAskMs: 60_000, cacheBucketReadMs: 60_000 });
        nowMs += defaultLimits.cacheRetryMs;
        assert.deepEqual((await fetchBy(other.cache.cache, refusing, { path: '/d', promised })).sources, [
          'hit',
        ]);
      }),
    );
});

test('keys that the bucket does not know, and those that cannot be had, are an outage', () =>
  withTemporaryDirectory(async (directory) => {
    await using server = await openS3Server();
    const wrong = bucketClient(server, {}, { accessKeyId: 'AKIDBUCKET000000', secretAccessKey: 'another' });
    const origin = scriptedOrigin(() => ({ octets }));
    {
      await using machine = await openMachine(join(directory, 'one'), server, { client: wrong });
      await fetchBy(machine.cache.cache, origin, { promised });
      assert.deepEqual(machine.bucket.away, ['status 403 (SignatureDoesNotMatch)']);
      assert.equal(server.refused.length, 1);
    }
    const none = new BucketClient({
      place: { url: server.url, name: 'packages', region: 'x', prefix: 'p', pathStyle: true },
      keys: { read: () => Promise.reject(new ProxyError('credential_unavailable', 'no key is there')) },
      dial: () => assert.fail('it is dialled'),
      clock: Date.now,
    });
    await using machine = await openMachine(join(directory, 'two'), server, { client: none });
    await fetchBy(machine.cache.cache, origin, { promised });
    assert.deepEqual(machine.bucket.away, ['no key is there']);
  }));

test('a client that leaves while the bucket is asked leaves at once, and others get the archive', () =>
  withTemporaryDirectory(async (directory) => {
    await using server = await openFilled();
    const goOn = Promise.withResolvers<undefined>();
    const real = bucketClient(server);
    await using other = await openMachine(join(directory, 'two'), server, {
      client: {
        ...readOnly(real),
        read: async (name, options, take) => {
          await goOn.promise;
          return await real.read(name, options, take);
        },
      },
    });
    const leaving = new AbortController();
    const left = fetchBy(other.cache.cache, refusing, { promised, signal: leaving.signal });
    const stays = fetchBy(other.cache.cache, refusing, { promised, client: new ScriptedClient() });
    leaving.abort();
    await assert.rejects(left, { code: 'cancelled' });
    goOn.resolve(undefined);
    assert.deepEqual((await stays).sources, ['hit']);
    await real[Symbol.asyncDispose]();
  }));

test('whoever left before the bucket said anything leaves nothing behind: what is there later is found', () =>
  withTemporaryDirectory(async (directory) => {
    await using server = await openS3Server();
    const goOn = Promise.withResolvers<undefined>();
    const real = bucketClient(server);
    await using other = await openMachine(join(directory, 'two'), server, {
      client: {
        ...readOnly(real),
        read: async (name, options, take) => {
          await goOn.promise;
          return await real.read(name, options, take);
        },
      },
    });
    const leaving = new AbortController();
    const left = fetchBy(other.cache.cache, refusing, { promised, signal: leaving.signal });
    leaving.abort();
    await assert.rejects(left, { code: 'cancelled' });
    goOn.resolve(undefined);
    await waitUntil('it was looked for', () => other.bucket.counts.get('bucket_missed') === 1);
    await fill(join(directory, 'one'), server, ['/a']);
    assert.deepEqual((await fetchBy(other.cache.cache, refusing, { promised })).sources, ['hit']);
    await real[Symbol.asyncDispose]();
  }));
