// The worked examples of the AWS documentation, with its example keys.

import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';

import type { BodyFacts } from '../../../../src/gateway/credentials/request/body-rewrite.ts';
import type { Injected } from '../../../../src/gateway/credentials/request/injected.ts';
import { Sigv4Injector } from '../../../../src/gateway/credentials/sigv4/sigv4-injector.ts';
import { canonicalRequest } from '../../../../src/gateway/credentials/sigv4/canonical-request.ts';
import { HeldBodies } from '../../../../src/gateway/credentials/request/held-bodies.ts';
import { codedLength, resignChunks } from '../../../../src/gateway/credentials/sigv4/resign-chunks.ts';
import { Signer } from '../../../../src/gateway/credentials/sigv4/signer.ts';
import type { AwsKeys } from '../../../../src/gateway/credentials/sigv4/signer.ts';
import { HeaderList } from '../../../../src/http/header-list.ts';
import type { RequestHead } from '../../../../src/http/message-head.ts';
import { defaultLimits } from '../../../../src/protocol/limits.ts';
import { Secret } from '../../../../src/protocol/secret.ts';

const keys = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: new Secret('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'),
  sessionToken: undefined,
};
/** The key of the general examples, which has a plus sign where that of the S3 examples has a slash. */
const iamKeys = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: new Secret('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'),
  sessionToken: undefined,
};
const s3Moment = Date.parse('2013-05-24T00:00:00Z');
const dummy =
  'AWS4-HMAC-SHA256 Credential=DUMMY/20130524/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00';
const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

interface Example {
  readonly method?: string;
  readonly host?: string;
  readonly target: string;
  readonly fields: readonly (readonly [string, string])[];
  readonly nowMs?: number;
  readonly body?: BodyFacts;
  readonly keys?: AwsKeys;
}

function inject(example: Example): Promise<Injected> {
  const {
    method = 'GET',
    host = 'examplebucket.s3.amazonaws.com',
    target,
    fields,
    nowMs = s3Moment,
  } = example;
  const [path = '', query] = target.split('?', 2);
  const head: RequestHead = {
    method,
    destination: { scheme: 'https', host, port: 443 },
    path,
    query: query === undefined ? '' : `?${query}`,
    headers: new HeaderList(fields),
    httpVersion: '1.1',
  };
  const injector = new Sigv4Injector(
    { name: 'aws', region: undefined, service: undefined, acls: false },
    new HeldBodies(defaultLimits),
  );
  return injector.inject(head, example.keys ?? keys, { nowMs, body: example.body });
}

function signatureOf({ head }: Injected): string | undefined {
  return /Signature=([0-9a-f]{64})$/.exec(head.headers.first('authorization') ?? head.query)?.[1];
}

const bodyOf = (length: number): BodyFacts => ({
  length,
  sessionId: 'session',
  isRewritten: false,
  keep: () => undefined,
  open: () => {
    throw new Error('the body is not read before the head goes out');
  },
});

test('the signature of the documented GET of a bucket lifecycle', async () => {
  const injected = await inject({
    target: '/?lifecycle',
    fields: [
      ['authorization', dummy],
      ['x-amz-content-sha256', emptyHash],
      ['x-amz-date', '20990101T000000Z'],
    ],
  });
  assert.equal(
    injected.head.headers.first('authorization'),
    'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, ' +
      'SignedHeaders=host;x-amz-content-sha256;x-amz-date, ' +
      'Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  );
  assert.deepEqual(injected.head.headers.all('x-amz-date'), ['20130524T000000Z']);
  assert.deepEqual(injected.values, []);
});

test('the signature of the documented listing of objects, whose query is sorted for it', async () => {
  const injected = await inject({
    target: '/?prefix=J&max-keys=2',
    fields: [
      ['authorization', dummy],
      ['x-amz-content-sha256', emptyHash],
    ],
  });
  assert.equal(signatureOf(injected), '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7');
  assert.equal(injected.head.query, '?prefix=J&max-keys=2');
});

test('the documented signature of a presigned URL', () => {
  const signer = new Signer(keys, { region: 'us-east-1', service: 's3' }, s3Moment);
  const head: RequestHead = {
    method: 'GET',
    destination: { scheme: 'https', host: 'examplebucket.s3.amazonaws.com', port: 443 },
    path: '/test.txt',
    query:
      `?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${encodeURIComponent(signer.credential)}` +
      `&X-Amz-Date=${signer.dateTime}&X-Amz-Expires=86400&X-Amz-SignedHeaders=host`,
    headers: new HeaderList([]),
    httpVersion: '1.1',
  };
  const { text } = canonicalRequest(head, { service: 's3', payload: 'UNSIGNED-PAYLOAD' });
  assert.equal(signer.request(text), 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404');
});

test('a presigned URL is presigned again for what is left of the time that the client gave it', async () => {
  const presign =
    'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=DUMMY%2F20130524%2Fus-east-1%2Fs3%2Faws4_request' +
    '&X-Amz-Date=20130523T234500Z&X-Amz-Expires=1500&X-Amz-SignedHeaders=host';
  const { head } = await inject({
    target: `/test.txt?${presign}&X-Amz-Signature=${'0'.repeat(64)}&versionId=3`,
    fields: [],
  });
  const parameters = new URLSearchParams(head.query);
  assert.equal(parameters.get('X-Amz-Date'), '20130524T000000Z');
  assert.equal(parameters.get('X-Amz-Expires'), '600');
  assert.equal(parameters.get('versionId'), '3');
  assert.equal(parameters.getAll('X-Amz-Signature').length, 1);
  await assert.rejects(
    inject({ target: `/test.txt?${presign}`, fields: [], nowMs: s3Moment + 700_000 }),
    /has expired/,
  );
});

test('the documented signature of IAM ListUsers, a service that is not S3', async () => {
  const scope = '20150830/us-east-1/iam/aws4_request';
  const injected = await inject({
    host: 'iam.amazonaws.com',
    target: '/?Action=ListUsers&Version=2010-05-08',
    nowMs: Date.parse('2015-08-30T12:36:00Z'),
    keys: iamKeys,
    fields: [
      ['authorization', `AWS4-HMAC-SHA256 Credential=DUMMY/${scope},SignedHeaders=host,Signature=00`],
      ['Content-Type', 'application/x-www-form-urlencoded; charset=utf-8'],
    ],
  });
  // The documentation signs with another key than the S3 examples: AKIDEXAMPLE has the same text but for a plus sign.
  assert.match(
    injected.head.headers.first('authorization') ?? '',
    /SignedHeaders=content-type;host;x-amz-date, /,
  );
  assert.equal(injected.head.headers.has('x-amz-content-sha256'), false);
});

const signer = new Signer(keys, { region: 'us-east-1', service: 's3' }, s3Moment);
const wrong = 'f'.repeat(64);

/** The documented 65 KiB of `a` in chunks that are cut otherwise than ours, and a stream cut otherwise than they are. */
async function resigned(seed: string, trailerNames?: readonly string[]): Promise<string> {
  const rewrite = resignChunks({ signer, seed, decodedLength: 66_560, trailerNames });
  const chunks = [20_000, 46_560]
    .map((size) => `${size.toString(16)};chunk-signature=${wrong}\r\n${'a'.repeat(size)}\r\n`)
    .join('');
  const trailer = 'x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:' + wrong + '\r\n';
  const sent = `${chunks}0;chunk-signature=${wrong}\r\n${trailerNames === undefined ? '' : trailer}\r\n`;
  const coded = Buffer.concat(await rewrite.rewrite(Readable.from(cut(sent, 7_777))).toArray()).toString();
  assert.equal(rewrite.length, coded.length);
  return coded.replaceAll(/a{3,}/g, (run) => `(${run.length})`);
}

function cut(text: string, size: number): Buffer[] {
  const bytes = Buffer.from(text);
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  );
}

test('the documented chunked upload: every chunk gets its signature, and the length is the documented one', async () => {
  const coded = await resigned('4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9');
  assert.equal(
    coded,
    '10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n(65536)\r\n' +
      '400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n(1024)\r\n' +
      '0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n',
  );
  assert.equal(codedLength({ signer, decodedLength: 66_560, trailerNames: undefined }), 66_824);
});

test('the documented upload with a trailer: chunks and trailer get their signatures', async () => {
  const coded = await resigned('106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e', [
    'x-amz-checksum-crc32c',
  ]);
  assert.equal(
    coded,
    '10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n(65536)\r\n' +
      '400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n(1024)\r\n' +
      '0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n' +
      'x-amz-checksum-crc32c:sOO8/Q==\r\n' +
      'x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n',
  );
});

test('the head of a chunked upload is signed without its body being read', async () => {
  const { head, body } = await inject({
    method: 'PUT',
    target: '/chunkObject.txt',
    body: bodyOf(66_824),
    fields: [
      ['authorization', dummy],
      ['x-amz-content-sha256', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'],
      ['x-amz-decoded-content-length', '66560'],
    ],
  });
  assert.equal(body?.length, 66_824);
  assert.match(
    head.headers.first('authorization') ?? '',
    /SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length, /,
  );
});
