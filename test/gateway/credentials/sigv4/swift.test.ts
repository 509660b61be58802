// Against a server that verifies every signature: Swift's S3 interface (Debian: swift-proxy, swift-account,
// swift-container, swift-object).

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { crc32 } from 'node:zlib';
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';

import { canary, findCanary } from '../../../support/canary.ts';
import { createTestAuthority } from '../../../support/test-authority.ts';
import { skipWithout } from '../../../support/tools.ts';
import { openAwsScene } from '../support/aws-scene.ts';
import type { AwsScene } from '../support/aws-scene.ts';
import { startSwift, swiftPrograms } from '../support/swift-server.ts';

const Bucket = 'bucket';

async function stored(client: S3Client, Key: string, Range?: string): Promise<Buffer> {
  const { Body } = await client.send(
    new GetObjectCommand({ Bucket, Key, ...(Range === undefined ? {} : { Range }) }),
  );
  assert.ok(Body !== undefined);
  return Buffer.from(await Body.transformToByteArray());
}

/** A PUT in signed chunks, with signatures of nobody. */
function signedChunks(at: string, target: string, data: Buffer, withTrailer: boolean): Buffer {
  const dummy = '0'.repeat(64);
  const pieces: Buffer[] = [];
  for (let from = 0; from < data.length; from += 100_000) {
    const piece = data.subarray(from, from + 100_000);
    pieces.push(
      Buffer.from(`${piece.length.toString(16)};chunk-signature=${dummy}\r\n`),
      piece,
      Buffer.from('\r\n'),
    );
  }
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(data));
  const trailer = `x-amz-checksum-crc32:${checksum.toString('base64')}\r\nx-amz-trailer-signature:${dummy}\r\n`;
  pieces.push(Buffer.from(`0;chunk-signature=${dummy}\r\n${withTrailer ? trailer : ''}\r\n`));
  const body = Buffer.concat(pieces);
  const head = [
    `PUT ${target} HTTP/1.1`,
    `Host: ${at}`,
    'Connection: close',
    `Authorization: AWS4-HMAC-SHA256 Credential=DUMMY/20200101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=${dummy}`,
    `X-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD${withTrailer ? '-TRAILER' : ''}`,
    'X-Amz-Date: 20200101T000000Z',
    'Content-Encoding: aws-chunked',
    `X-Amz-Decoded-Content-Length: ${data.length}`,
    ...(withTrailer ? ['X-Amz-Trailer: x-amz-checksum-crc32'] : []),
    `Content-Length: ${body.length}`,
    '',
    '',
  ].join('\r\n');
  return Buffer.concat([Buffer.from(head), body]);
}

const data = randomBytes(300_000);

async function putAndGet(client: S3Client): Promise<void> {
  const Key = 'a folder/ключ + (1)~!.bin';
  await client.send(
    new PutObjectCommand({ Bucket, Key, Body: data, ContentType: 'text/plain; charset=utf-8' }),
  );
  assert.deepEqual(await stored(client, Key), data);
  assert.deepEqual(await stored(client, Key, 'bytes=10-19'), data.subarray(10, 20));
  const list = await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'a folder/', Delimiter: '/' }));
  assert.deepEqual(
    list.Contents?.map((one) => one.Key),
    [Key],
  );
  await client.send(new DeleteObjectCommand({ Bucket, Key }));
}

async function putStream(client: S3Client): Promise<void> {
  const Body = Readable.from([data.subarray(0, 100_000), data.subarray(100_000)], { objectMode: false });
  await client.send(new PutObjectCommand({ Bucket, Key: 'stream', Body, ContentLength: data.length }));
  assert.deepEqual(await stored(client, 'stream'), data);
}

async function putInParts(client: S3Client): Promise<void> {
  const Key = 'parts';
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  const pieces = [randomBytes(5 * 1024 * 1024), data];
  const Parts = [];
  for (const [i, Body] of pieces.entries()) {
    const PartNumber = i + 1;
    const { ETag } = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }));
    Parts.push({ PartNumber, ETag });
  }
  await client.send(
    new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }),
  );
  assert.deepEqual(await stored(client, Key), Buffer.concat(pieces));
}

async function presigned(scene: AwsScene, client: S3Client): Promise<void> {
  const url = new URL(
    await getSignedUrl(client, new GetObjectCommand({ Bucket, Key: 'stream' }), { expiresIn: 60 }),
  );
  const target = `${url.pathname}${url.search}`;
  const response = await scene.raw(
    `GET ${target} HTTP/1.1\r\nHost: ${scene.at}\r\nConnection: close\r\n\r\n`,
  );
  assert.equal(response.status, 200, response.body.slice(0, 1000));
  assert.deepEqual(Buffer.from(response.body, 'latin1'), data);
}

test(
  'an S3 server that verifies signatures takes every way to sign, and the secret key is nowhere',
  { skip: skipWithout(...swiftPrograms), timeout: 120_000 },
  async (t) => {
    const secret = canary('aws');
    const authority = createTestAuthority();
    await using swift = await startSwift(authority, secret);
    const common = {
      port: swift.port,
      trust: authority.caPem,
      environment: { ID: swift.accessKeyId, SECRET: secret, WRONG: 'wrong-secret' },
    };
    await using scene = openAwsScene({
      ...common,
      credential: {
        accessKeyId: { env: 'ID' },
        source: { env: 'SECRET' },
        region: 'us-east-1',
        service: 's3',
      },
    });
    const client = scene.client();
    await client.send(new CreateBucketCommand({ Bucket }));
    await t.test('PUT, GET, ranges, lists and awkward keys', () => putAndGet(client));
    await t.test('a stream, in unsigned chunks with a trailer', () => putStream(client));
    await t.test('several parts', () => putInParts(client));
    await t.test('a presigned URL', () => presigned(scene, client));
    for (const withTrailer of [false, true]) {
      await t.test(`signed chunks ${withTrailer ? 'with' : 'without'} a trailer`, async () => {
        const response = await scene.raw(signedChunks(scene.at, '/bucket/chunks', data, withTrailer));
        assert.equal(response.status, 200, response.body);
        assert.deepEqual(await stored(client, 'chunks'), data);
      });
    }
    await t.test('a request without any signature is signed too', async () => {
      const response = await scene.raw(
        `GET /bucket/chunks HTTP/1.1\r\nHost: ${scene.at}\r\nConnection: close\r\n\r\n`,
      );
      assert.equal(response.status, 200);
    });
    await t.test('the server does verify: with a wrong key it takes nothing', async () => {
      await using wrong = openAwsScene({
        ...common,
        credential: { accessKeyId: { env: 'ID' }, source: { env: 'WRONG' } },
      });
      await assert.rejects(stored(wrong.client(), 'chunks'), { name: 'SignatureDoesNotMatch' });
      // Short enough to be sent before the server closes: what it refuses it does not read, and a connection that is reset under a
      // body loses the response.
      const response = await wrong.raw(
        signedChunks(wrong.at, '/bucket/chunks', data.subarray(0, 1000), true),
      );
      assert.equal(response.status, 403);
    });
    // Positive control: the same search finds what does travel.
    assert.notDeepEqual(findCanary(swift.received(), swift.accessKeyId), []);
    assert.deepEqual(findCanary(swift.received(), secret), []);
    assert.deepEqual(findCanary(scene.received(), secret), []);
    assert.deepEqual(findCanary(JSON.stringify(scene.path.audit), secret), []);
    assert.deepEqual(findCanary(inspect(scene.path.parts, { depth: 12 }), secret), []);
    assert.ok(scene.path.audit.every((event) => event.injected?.includes('aws')));
  },
);
