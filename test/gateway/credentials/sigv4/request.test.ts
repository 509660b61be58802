import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';

import { defaultLimits } from '../../../../src/protocol/limits.ts';
import { canary, findCanary } from '../../../support/canary.ts';
import { createTestAuthority } from '../../../support/test-authority.ts';
import type { RawResponse } from '../../support/raw-http.ts';
import { openAwsScene } from '../support/aws-scene.ts';
import type { AwsScene, AwsSceneOptions } from '../support/aws-scene.ts';
import { openVerifyingOrigin } from '../support/verifying-origin.ts';
import type { VerifyingOrigin } from '../support/verifying-origin.ts';

const authority = createTestAuthority();
const secret = canary('aws');
const token = canary('session');
const environment = { ID: 'AKIDREAL00000000', SECRET: secret, TOKEN: token };
const dummy = '0'.repeat(64);

interface Opened extends AsyncDisposable {
  readonly origin: VerifyingOrigin;
  readonly scene: AwsScene;
}

async function open(extra: Partial<AwsSceneOptions['credential']> = {}): Promise<Opened> {
  const keys = { accessKeyId: environment.ID, secretAccessKey: secret };
  const origin = await openVerifyingOrigin(authority, {
    ...keys,
    ...(extra.sessionToken === undefined ? {} : { sessionToken: token }),
  });
  const scene = openAwsScene({
    port: origin.port,
    trust: authority.caPem,
    environment,
    credential: { accessKeyId: { env: 'ID' }, source: { env: 'SECRET' }, ...extra },
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

function signedFor(service: string, region = 'us-east-1'): string {
  return `Authorization: AWS4-HMAC-SHA256 Credential=DUMMY/20200101/${region}/${service}/aws4_request, SignedHeaders=host, Signature=${dummy}`;
}

function send(scene: AwsScene, line: string, fields: readonly string[], body = ''): Promise<RawResponse> {
  const head = [`${line} HTTP/1.1`, `Host: ${scene.at}`, 'Connection: close', ...fields, '', ''].join('\r\n');
  return scene.raw(head + body);
}

test('nobody else is given rights to an object, unless the credential lets it', async () => {
  const hash = `x-amz-content-sha256: ${createHash('sha256').update('').digest('hex')}`;
  const rows: readonly [line: string, fields: readonly string[], named: RegExp][] = [
    ['PUT /key', ['x-amz-acl: public-read'], /x-amz-acl/],
    [
      'PUT /key',
      ['X-Amz_Grant-Read: uri="http://acs.amazonaws.com/groups/global/AllUsers"'],
      /x-amz-grant-read/,
    ],
    ['PUT /key?acl', [], /\?acl/],
    ['PUT /key?versionId=1;%61cl=', [], /\?acl/],
    ['PUT /key?x-amz-acl=public-read', [], /x-amz-acl/],
    ['PUT /key?X-Amz-%47rant-Read=id%3D1', [], /x-amz-grant-read/],
  ];
  {
    await using opened = await open();
    for (const [line, fields, named] of rows) {
      const response = await send(opened.scene, line, [signedFor('s3'), hash, ...fields]);
      assert.equal(response.headers.get('x-deny-reason'), 'signature_refused', line);
      assert.match(response.body, named);
    }
    assert.equal(opened.origin.seen.length, 0);
  }
  await using opened = await open({ acls: true });
  assert.equal(
    (await send(opened.scene, 'PUT /key', [signedFor('s3'), hash, 'x-amz-acl: private'])).status,
    200,
  );
});

test('an object is not copied where the rule does not name the field', async () => {
  await using opened = await open();
  for (const name of ['x-amz-copy-source', 'X-Amz_Copy-Source']) {
    const response = await send(opened.scene, 'PUT /key', [signedFor('s3'), `${name}: /other-bucket/secret`]);
    assert.equal(response.headers.get('x-deny-reason'), 'policy_denied', name);
    assert.match(response.body, /changes what is asked/);
  }
  for (const name of ['x-amz-copy-source', 'X-Amz-Copy%2DSource', 'x-amz-rename-source']) {
    const response = await send(opened.scene, `PUT /key?${name}=/other-bucket/secret`, [signedFor('s3')]);
    assert.equal(response.headers.get('x-deny-reason'), 'signature_refused', name);
    assert.match(response.body, /send it as a field/);
  }
  assert.equal(opened.origin.seen.length, 0);
});

test('requests that another implementation verifies: awkward paths, queries, repeated fields, wrong clocks', async () => {
  await using opened = await open();
  const { origin, scene } = opened;
  const lines = [
    ['GET /a%20b/c+d/e%2Bf/%C3%A4/(x)!*%27;=:@&,$ ', 's3'],
    ['GET /key?b=2&a=%2F%20x&c&a%2D=~ ', 's3'],
    ['GET /a%20b/c:d//e?Action=x&Version=1 ', 'execute-api'],
  ] as const;
  for (const [line, service] of lines) {
    const response = await send(scene, line.trim(), [
      signedFor(service),
      'X-Amz-Date: 20200101T000000Z',
      'X-Amz-Meta-A:   two   words ',
      'X-Amz-Security-Token: of-the-client',
    ]);
    assert.equal(response.body.split('\n')[0], 'ok', line);
  }
  assert.ok(origin.seen.every(({ headers }) => headers['x-amz-security-token'] === undefined));
});

test('a body whose hash is not stated is held and signed for services other than S3', async () => {
  await using opened = await open();
  const { origin, scene } = opened;
  const body = 'Action=GetCallerIdentity&Version=2011-06-15';
  const fields = ['Content-Type: application/x-www-form-urlencoded', 'Expect: 100-continue'];
  const known = await send(
    scene,
    'POST /',
    [signedFor('sts'), ...fields, `Content-Length: ${body.length}`],
    body,
  );
  assert.match(known.body, /\nok\n|^ok\n|HTTP\/1.1 200 OK[^]*\r\n\r\n(?:[0-9a-f]+\r\n)?ok\n/);
  const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  await send(scene, 'POST /', [signedFor('dynamodb'), 'Transfer-Encoding: chunked'], chunked);
  await send(scene, 'POST /', [signedFor('ec2'), 'Content-Length: 0']);
  assert.deepEqual(origin.verdicts, ['ok', 'ok', 'ok']);
  const events = await scene.path.events(3);
  assert.deepEqual(
    events.map((event) => event.requestBytes),
    [body.length, body.length, 0],
  );
  const declared = defaultLimits.signedBodyBytesMax + 1;
  const refused = await send(scene, 'POST /', [signedFor('sts'), `Content-Length: ${declared}`]);
  assert.equal(refused.status, 413);
  assert.equal(origin.verdicts.length, 3);
});

test('a session token is signed, scrubbed from what comes back, and does not take ranges away', async () => {
  await using opened = await open({ sessionToken: { env: 'TOKEN' } });
  const { origin, scene } = opened;
  const client = scene.client();
  const { Body } = await client.send(
    new GetObjectCommand({ Bucket: 'bucket', Key: 'key', Range: 'bytes=0-9' }),
  );
  assert.match((await Body?.transformToString()) ?? '', /^ok\n/);
  const stream = Readable.from([Buffer.alloc(70_000, 'x')], { objectMode: false });
  await client.send(
    new PutObjectCommand({ Bucket: 'bucket', Key: 'key', Body: stream, ContentLength: 70_000 }),
  );
  assert.deepEqual(origin.verdicts, ['ok', 'ok']);
  assert.equal(origin.seen[0]?.headers.range, 'bytes=0-9');
  // Positive control: the same search finds it in what the origin saw.
  assert.notDeepEqual(findCanary(JSON.stringify(origin.seen), token), []);
  for (const one of [secret, token]) {
    assert.deepEqual(findCanary(scene.received(), one), []);
    assert.deepEqual(findCanary(JSON.stringify(scene.path.audit), one), []);
    assert.deepEqual(findCanary(inspect(scene.path.parts, { depth: 12 }), one), []);
  }
  assert.deepEqual(findCanary(JSON.stringify(origin.seen), secret), []);
});

const stream = ['X-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD', 'Content-Encoding: aws-chunked'];
const chunk = `5;chunk-signature=${dummy}\r\nhello\r\n`;
const last = `0;chunk-signature=${dummy}\r\n\r\n`;
const refusals: readonly (readonly [string, readonly string[], string, string])[] = [
  [
    'SigV4A without regions',
    [
      'Authorization: AWS4-ECDSA-P256-SHA256 Credential=D/20200101/s3/aws4_request, SignedHeaders=host, Signature=00',
    ],
    'signature_refused',
    'names no regions',
  ],
  ['version 2', ['Authorization: AWS KEY:c2lnbmF0dXJl'], 'signature_refused', 'Signature Version 2'],
  ['another region', [signedFor('s3', 'eu-west-1')], 'signature_refused', 'eu-west-1'],
  ['another service', [signedFor('iam')], 'signature_refused', 'iam'],
  [
    'no scope',
    ['Authorization: AWS4-HMAC-SHA256 Credential=D, SignedHeaders=host, Signature=00'],
    'signature_refused',
    'scope',
  ],
  [
    'ECDSA chunks',
    [signedFor('s3'), 'X-Amz-Content-Sha256: STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD'],
    'signature_refused',
    'chunks',
  ],
  ['no decoded length', [signedFor('s3'), ...stream], 'signature_refused', 'x-amz-decoded-content-length'],
];

test('what cannot be signed again is refused with the reason, and no origin sees it', async () => {
  await using opened = await open({ region: 'us-east-1', service: 's3' });
  const { origin, scene } = opened;
  for (const [name, fields, code, reason] of refusals) {
    const response = await send(scene, 'PUT /k', [...fields, 'Content-Length: 0']);
    assert.equal(response.status, 400, name);
    assert.ok(response.body.includes(code) && response.body.includes(reason), `${name}: ${response.body}`);
  }
  const twice = await send(scene, 'GET /k?X-Amz-Signature=00', [signedFor('s3')]);
  assert.match(twice.body, /in Authorization and in its URL/);
  assert.deepEqual(origin.verdicts, []);
});

test('without region and service, a request that is not signed is refused', async () => {
  await using opened = await open();
  const response = await send(opened.scene, 'GET /k', []);
  assert.equal(response.status, 400);
  assert.match(response.body, /names region and service/);
});

const brokenBodies: readonly (readonly [string, string, number])[] = [
  ['it ends before its last chunk', chunk, 5],
  ['it has more than the 3 bytes declared', chunk + last, 3],
  ['it has 5 bytes, not the 9 declared', chunk + last, 9],
  ['a chunk is longer than it says', `4;chunk-signature=${dummy}\r\nhello\r\n${last}`, 5],
  ['the head of a chunk is not', `five\r\nhello\r\n${last}`, 5],
  ['above 16777216', `ffffffff;chunk-signature=${dummy}\r\n`, 5],
  ['longer than 512 bytes', '1'.repeat(600), 5],
  ['a trailer follows that was not announced', `${chunk}0;chunk-signature=${dummy}\r\nx-amz-a:b\r\n\r\n`, 5],
];

test('signed chunks that are not what they say end the request, and the origin gets no complete body', async () => {
  await using opened = await open();
  const { origin, scene } = opened;
  for (const [reason, body, length] of brokenBodies) {
    const fields = [signedFor('s3'), ...stream, `X-Amz-Decoded-Content-Length: ${length}`];
    const response = await send(scene, 'PUT /k', [...fields, `Content-Length: ${body.length}`], body);
    assert.equal(response.status, 400, reason);
    assert.ok(response.body.includes(reason), `${reason}: ${response.body}`);
  }
  assert.ok(!origin.verdicts.includes('ok'));
  // Positive control.
  const body = chunk + last;
  const fields = [signedFor('s3'), ...stream, 'X-Amz-Decoded-Content-Length: 5'];
  const response = await send(scene, 'PUT /k', [...fields, `Content-Length: ${body.length}`], body);
  assert.equal(response.status, 200, response.body);
});

test(
  'the end of a signed chunk is not waited for: what the client sent is at the origin but for one chunk of 64 KiB',
  {
    timeout: 60_000,
  },
  async () => {
    await using opened = await open();
    const { origin, scene } = opened;
    const piece = Buffer.alloc(1024 * 1024, 'x');
    // The largest chunk that is taken.
    const chunkBytes = defaultLimits.awsChunkBytesMax;
    const size = 2 * chunkBytes;
    const outgoing = httpsRequest({
      agent: scene.agent,
      host: 'origin.test',
      port: origin.port,
      method: 'PUT',
      path: '/large',
      headers: {
        authorization: signedFor('s3').slice('Authorization: '.length),
        'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
        'x-amz-decoded-content-length': String(size),
        'transfer-encoding': 'chunked',
      },
    });
    const responded = once(outgoing, 'response');
    for (let sent = 0; sent < size;) {
      if (sent % chunkBytes === 0) outgoing.write(`${chunkBytes.toString(16)};chunk-signature=${dummy}\r\n`);
      outgoing.write(piece);
      sent += piece.length;
      // Nothing more is sent before: a chunk that was held would be waited for until the test's deadline.
      await origin.arrived(sent - 64 * 1024);
      if (sent % chunkBytes === 0) outgoing.write('\r\n');
    }
    outgoing.end(last);
    const [response] = await responded;
    assert.match(await text(response), /^ok\n/);
    assert.equal(origin.seen[0]?.headers['content-length'], String(origin.arrivedBytes));
  },
);
