// The bucket of the cache at a server that is not ours and verifies every signature: Swift's S3 interface. `npm run test:packages` runs it.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { BucketClient } from '../../src/gateway/cache/bucket-client.ts';
import { bucketStats, makeRoom } from '../../src/gateway/cache/bucket-room.ts';
import { Secret } from '../../src/protocol/secret.ts';
import { startSwift, swiftPrograms } from '../gateway/credentials/support/swift-server.ts';
import { openTestBucket } from '../gateway/support/bucket-scene.ts';
import { openTestCache } from '../gateway/support/cache-scene.ts';
import { fetchBy, promiseOf, scriptedOrigin } from '../gateway/support/scripted-origin.ts';
import { waitUntil } from '../support/program.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';
import { skipWithout } from '../support/tools.ts';

const skip =
  process.env['TEST_REGISTRIES'] === undefined
    ? '`npm run test:packages` runs it'
    : skipWithout(...swiftPrograms);

test('two machines share archives by Swift, which refuses what is signed with other keys', { skip }, () =>
  withTemporaryDirectory(async (directory) => {
    const authority = createTestAuthority();
    const secret = 'the-secret-of-the-bucket';
    await using swift = await startSwift(authority, secret);
    const { port, accessKeyId } = swift;
    const url = `https://origin.test:${String(port)}`;
    const tls = { ca: authority.caPem, servername: 'origin.test' };
    const agent = new Agent({
      ...tls,
      lookup: (_, __, found) => found(null, [{ address: '127.0.0.1', family: 4 }]),
    });
    const sdk = new S3Client({
      endpoint: url,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey: secret },
      requestHandler: { httpsAgent: agent },
    });
    await sdk.send(new CreateBucketCommand({ Bucket: 'packages' }));
    sdk.destroy();
    const clientWith = (secretAccessKey: string): BucketClient =>
      new BucketClient({
        place: { url, name: 'packages', region: 'us-east-1', prefix: 'team/cache', pathStyle: true },
        keys: {
          read: () =>
            Promise.resolve({
              accessKeyId,
              secretAccessKey: new Secret(secretAccessKey),
              sessionToken: undefined,
            }),
        },
        dial: async () => {
          const socket = connect({ ...tls, port, host: '127.0.0.1', ALPNProtocols: ['http/1.1'] });
          await once(socket, 'secureConnect');
          return socket;
        },
        clock: Date.now,
      });
    const paths = Array.from({ length: 7 }, (_, i) => `/@scope%2fname${String(i)}/-/name ü+&?.tgz`);
    const octetsOf = (path: string): Buffer => Buffer.alloc(400_000, path);
    const origin = scriptedOrigin((path) => ({ octets: octetsOf(path) }));
    const machine = async (
      name: string,
      asked: typeof origin,
      stored: number,
    ): Promise<readonly string[]> => {
      await using bucket = openTestBucket({ url, bucket: 'packages' }, { client: clientWith(secret) });
      await using cache = await openTestCache(join(directory, name), { bucket: bucket.bucket });
      const sources: string[] = [];
      for (const path of paths) {
        const got = await fetchBy(cache.cache, asked, { path, promised: promiseOf(octetsOf(path)) });
        assert.ok(got.client.body.equals(octetsOf(path)));
        sources.push(...got.sources);
      }
      await waitUntil('all are written', () => (bucket.counts.get('bucket_stored') ?? 0) === stored);
      assert.deepEqual(bucket.away, []);
      return sources;
    };
    assert.deepEqual(
      await machine('one', origin, paths.length),
      paths.map(() => 'fetched'),
    );
    const refusing = scriptedOrigin(() => assert.fail('the origin is asked'));
    assert.deepEqual(
      await machine('two', refusing, 0),
      paths.map(() => 'hit'),
    );

    const { signal } = new AbortController();
    await using client = clientWith(secret);
    const { archives, isAll } = await bucketStats(client, signal);
    assert.deepEqual([archives, isAll], [paths.length, true]);
    assert.ok((await makeRoom(client, 1_600_000, signal)) >= 4);
    assert.ok((await bucketStats(client, signal)).bytes <= 1_600_000);
    assert.equal(await client.bytes('objects/none', signal), undefined);
    assert.equal(await client.read('objects/none', { bytesMax: 1, signal }, () => undefined), 'absent');

    const octets = Buffer.from('an object');
    const sha256 = createHash('sha256').update(octets).digest('hex');
    const body = { octets, bytes: octets.length, sha256 };
    await using wrong = clientWith('another');
    for (const refused of [
      () => wrong.write('objects/x', body, signal),
      () => wrong.page(undefined, signal),
      () => wrong.bytes('objects/x', signal),
      () => wrong.remove('objects/x', signal),
    ])
      await assert.rejects(refused(), /403/);
    // Octets that were changed on the way from the disk.
    await assert.rejects(
      client.write('objects/x', { ...body, octets: Buffer.from('an 0bject') }, signal),
      /4\d\d/,
    );
    assert.equal(await client.bytes('objects/x', signal), undefined);
  }),
);
