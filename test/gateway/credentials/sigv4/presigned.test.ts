// Presigned URLs, names of buckets as hosts, and HTTP/2, through the request path and before another implementation.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:http2';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';

import { canary, findCanary } from '../../../support/canary.ts';
import { createTestAuthority } from '../../../support/test-authority.ts';
import { dummyKeys, openAwsScene } from '../support/aws-scene.ts';
import type { AwsScene } from '../support/aws-scene.ts';
import { openVerifyingOrigin } from '../support/verifying-origin.ts';
import type { VerifyingOrigin } from '../support/verifying-origin.ts';

const authority = createTestAuthority();
const secret = canary('aws');
const token = canary('session');
const environment = { ID: 'AKIDREAL00000000', SECRET: secret, TOKEN: token };

interface Opened extends AsyncDisposable {
  readonly origin: VerifyingOrigin;
  readonly scene: AwsScene;
}

async function open(withToken: boolean): Promise<Opened> {
  const origin = await openVerifyingOrigin(authority, {
    accessKeyId: environment.ID,
    secretAccessKey: secret,
    ...(withToken ? { sessionToken: token } : {}),
  });
  const scene = openAwsScene({
    port: origin.port,
    trust: authority.caPem,
    environment,
    credential: {
      accessKeyId: { env: 'ID' },
      source: { env: 'SECRET' },
      ...(withToken ? { sessionToken: { env: 'TOKEN' } } : {}),
    },
  });
  return {
    origin,
    scene,
    [Symbol.asyncDispose]: async () => {
      await scene[Symbol.asyncDispose]();
      await origin[Symbol.asyncDispose]();
    },
  };
}

/** A URL that the client presigned, used by a program that knows nothing of AWS. */
async function use(
  { agent }: AwsScene,
  presigned: string,
  {
    method = 'GET',
    headers = {},
    body,
  }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<{ readonly status: number | undefined; readonly body: string }> {
  const { hostname: host, port, pathname, search } = new URL(presigned);
  const outgoing = httpsRequest({ agent, host, port, method, path: pathname + search, headers });
  const responded = once(outgoing, 'response');
  outgoing.end(body);
  const [response] = (await responded) as [IncomingMessage];
  return { status: response.statusCode, body: await text(response) };
}

const place = { Bucket: 'bucket', Key: 'a folder/key (1)+ä.txt' };
const put = (): PutObjectCommand => new PutObjectCommand({ ...place, ContentType: 'text/plain' });

const clients: readonly (readonly [string, (scene: AwsScene) => S3Client, string])[] = [
  ['with the bucket in the path', (scene) => scene.client(), 'origin.test'],
  ['with the bucket in the host', (scene) => scene.client({ forcePathStyle: false }), 'bucket.origin.test'],
];

for (const [how, clientOf, host] of clients) {
  test(`a URL that is presigned for PUT or GET ${how} is signed again`, async () => {
    await using opened = await open(false);
    const { origin, scene } = opened;
    const client = clientOf(scene);
    const url = await getSignedUrl(client, put(), {
      expiresIn: 60,
      signableHeaders: new Set(['content-type']),
    });
    const response = await use(scene, url, {
      method: 'PUT',
      headers: { 'content-type': 'text/plain', 'content-length': '5' },
      body: 'hello',
    });
    assert.equal(response.status, 200, response.body);
    const got = await use(scene, await getSignedUrl(client, new GetObjectCommand(place), { expiresIn: 60 }));
    assert.equal(got.status, 200, got.body);
    assert.deepEqual(origin.verdicts, ['ok', 'ok']);
    for (const { headers, url: target } of origin.seen) {
      assert.equal(headers.host, `${host}:${origin.port}`);
      assert.ok(!target.includes(dummyKeys.accessKeyId) && target.includes(environment.ID), target);
    }
    assert.equal(origin.seen[0]?.bodyBytes, 5);
  });
}

test('a request with the bucket in the host is signed for that host', async () => {
  await using opened = await open(false);
  const { origin, scene } = opened;
  const client = scene.client({ forcePathStyle: false });
  await client.send(new PutObjectCommand({ ...place, Body: 'hello' }));
  assert.deepEqual(origin.verdicts, ['ok']);
  assert.equal(origin.seen[0]?.headers.host, `bucket.origin.test:${origin.port}`);
});

test('the session token of a presigned URL is replaced by the real one, which comes back to nobody', async () => {
  await using opened = await open(true);
  const { origin, scene } = opened;
  for (const credentials of [dummyKeys, { ...dummyKeys, sessionToken: 'of-the-client' }]) {
    const url = await getSignedUrl(scene.client({ credentials }), put(), { expiresIn: 60 });
    const response = await use(scene, url, {
      method: 'PUT',
      headers: { 'content-length': '5' },
      body: 'hello',
    });
    assert.equal(response.status, 200, response.body);
    assert.match(response.body, /X-Amz-Security-Token=\*+/);
  }
  assert.deepEqual(origin.verdicts, ['ok', 'ok']);
  assert.ok(origin.seen.every(({ url }) => !url.includes('of-the-client')));
  // Positive control: the same search finds it in what the origin saw.
  assert.notDeepEqual(findCanary(JSON.stringify(origin.seen), token), []);
  for (const one of [secret, token]) {
    assert.deepEqual(findCanary(scene.received(), one), []);
    assert.deepEqual(findCanary(JSON.stringify(scene.path.audit), one), []);
  }
});

test('signed chunks pass over HTTP/2 on both sides, and broken ones end the stream', async () => {
  await using opened = await open(false);
  const { origin, scene } = opened;
  const socket = await scene.path.tls(scene.at, { alpn: ['h2'] });
  const session = connect(`https://${scene.at}`, { createConnection: () => socket });
  session.on('error', () => undefined);
  const dummy = '0'.repeat(64);
  const data = Buffer.alloc(300_000, 'some text ');
  const send = async (body: string): Promise<{ readonly status: unknown; readonly body: string }> => {
    const stream = session.request({
      ':method': 'PUT',
      ':path': '/bucket/key',
      authorization: `AWS4-HMAC-SHA256 Credential=DUMMY/20200101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=${dummy}`,
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      'x-amz-decoded-content-length': data.length,
      'content-encoding': 'aws-chunked',
    });
    const responded = once(stream, 'response');
    stream.end(body);
    const [headers] = (await responded) as [Record<string, unknown>];
    return { status: headers[':status'], body: await text(stream) };
  };
  const chunk = (bytes: Buffer): string =>
    `${bytes.length.toString(16)};chunk-signature=${dummy}\r\n${bytes.toString('latin1')}\r\n`;
  const whole = await send(
    chunk(data.subarray(0, 200_000)) + chunk(data.subarray(200_000)) + chunk(data.subarray(0, 0)),
  );
  assert.equal(whole.status, 200, whole.body);
  const cut = await send(chunk(data.subarray(0, 200_000)) + chunk(data.subarray(0, 0)));
  assert.equal(cut.status, 400);
  assert.match(cut.body, /it has 200000 bytes, not the 300000 declared/);
  session.destroy();
  assert.equal(origin.verdicts.filter((verdict) => verdict === 'ok').length, 1);
  assert.deepEqual(
    (await scene.path.events(2)).map((event) => [event.protocol, event.upstreamProtocol, event.verdict]),
    [
      ['h2', 'h2', 'allow'],
      ['h2', undefined, 'deny'],
    ],
  );
});
