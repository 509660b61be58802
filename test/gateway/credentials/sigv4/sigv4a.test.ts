// SigV4A: the derivation that AWS published, samples of the suite of aws-c-auth, and generated requests beside @smithy/signature-v4a.

import assert from 'node:assert/strict';
import { createHash, createHmac, createPublicKey, verify } from 'node:crypto';
import type { Hash, Hmac, KeyObject } from 'node:crypto';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { SignatureV4a } from '@smithy/signature-v4a';

import { HeldBodies } from '../../../../src/gateway/credentials/request/held-bodies.ts';
import { canonicalRequest } from '../../../../src/gateway/credentials/sigv4/canonical-request.ts';
import { resignChunks } from '../../../../src/gateway/credentials/sigv4/resign-chunks.ts';
import { Signer } from '../../../../src/gateway/credentials/sigv4/signer.ts';
import type { AwsKeys } from '../../../../src/gateway/credentials/sigv4/signer.ts';
import { asymmetricKey } from '../../../../src/gateway/credentials/sigv4/sigv4a-key.ts';
import { Sigv4Injector } from '../../../../src/gateway/credentials/sigv4/sigv4-injector.ts';
import { HeaderList } from '../../../../src/http/header-list.ts';
import type { RequestHead } from '../../../../src/http/message-head.ts';
import { defaultLimits } from '../../../../src/protocol/limits.ts';
import { Secret } from '../../../../src/protocol/secret.ts';
import { seededBelow } from '../../../support/seeded.ts';

const algorithm = 'AWS4-ECDSA-P256-SHA256';
const emptyHash = createHash('sha256').digest('hex');
const nowMs = Date.parse('2015-08-30T12:36:00Z');
const keys: AwsKeys = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: new Secret('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'),
  sessionToken: undefined,
};
const publicKey = createPublicKey(asymmetricKey(keys));

function headOf(target: string, fields: readonly (readonly [string, string])[], method = 'GET'): RequestHead {
  const [path = '', query] = target.split('?', 2);
  return {
    method,
    destination: { scheme: 'https', host: 'example.amazonaws.com', port: 443 },
    path,
    query: query === undefined ? '' : `?${query}`,
    headers: new HeaderList(fields),
    httpVersion: '1.1',
  };
}

/** As the documents of AWS write it, and not as our signer does. */
function isSignature(
  canonical: string,
  { service, signature, key = publicKey }: { service: string; signature: string; key?: KeyObject },
): boolean {
  const hash = createHash('sha256').update(canonical, 'latin1').digest('hex');
  const text = `${algorithm}\n20150830T123600Z\n20150830/${service}/aws4_request\n${hash}`;
  return verify('sha256', Buffer.from(text), key, Buffer.from(signature, 'hex'));
}

const signatureOf = (text = ''): string => /Signature=([0-9a-f]{136,144})$/.exec(text)?.[1] ?? '';

const injector = ({ region }: { readonly region?: string } = {}): Sigv4Injector =>
  new Sigv4Injector({ name: 'aws', region, service: undefined, acls: false }, new HeldBodies(defaultLimits));
const claim = (service = 's3'): readonly [string, string] => [
  'authorization',
  `${algorithm} Credential=DUMMY/20200101/${service}/aws4_request, SignedHeaders=host, Signature=00`,
];

test('the key is the published one for the published access key', () => {
  const { d, x, y } = asymmetricKey({
    accessKeyId: 'AKISORANDOMAASORANDOM',
    secretAccessKey: new Secret('q+jcrXGc+0zWN6uzclKVhvMmUsIfRPa4rlRandom'),
  }).export({ format: 'jwk' });
  const hex = (part = ''): string => Buffer.from(part, 'base64url').toString('hex');
  assert.equal(hex(d), '7fd3bd010c0d9c292141c2b77bfbde1042c92e6836fff749d1269ec890fca1bd');
  assert.equal(hex(x), '15d242ceebf8d8169fd6a8b5a746c41140414c3b07579038da06af89190fffcb');
  assert.equal(hex(y), '0515242cedd82e94799482e4c0514b505afccf2c0c98d6a553bf539f424c5ec0');
});

test('what the suite of aws-c-auth has signed is over our canonical request, with a session token too', () => {
  const key = createPublicKey({
    format: 'jwk',
    key: {
      kty: 'EC',
      crv: 'P-256',
      x: 'FGiWO1MjQ5w61e9aQGW1bCT1zpTdgQxUuVW-vbmJ6NI',
      y: 'L3JUmOK5CQ5lMMjTXSoK5Aty6uHkcnWUYG7tcginAJU',
    },
  });
  const dated: readonly (readonly [string, string])[] = [
    ['X-Amz-Date', '20150830T123600Z'],
    ['X-Amz-Region-Set', 'us-east-1'],
  ];
  const token = '6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267';
  const samples = [
    [
      dated,
      '3044022063bd8778b71bfc67b24d7b0d4104878fea85b62c8c263d7a98a1e22e30f1c5b502204c4a74a5482dfa0de7588711a1f07589fb28c6bfc42a5aec1daff391bb300d0c',
    ],
    [
      [...dated, ['X-Amz-Security-Token', token]],
      '3046022100c73cca08380c72b8adb0ead5f9b51ad34ef1518bce21d7a7b43cd1a5c8cd38bc022100b9891d3e8828d1aafd32b946a42a235a6c7a6d762791595d1fb4513a50377257',
    ],
  ] as const;
  for (const [fields, signature] of samples) {
    const { text } = canonicalRequest(headOf('/', fields), { service: 'service', payload: emptyHash });
    assert.equal(isSignature(text, { service: 'service', signature, key }), true);
    assert.equal(isSignature(`${text} `, { service: 'service', signature, key }), false);
  }
});

class Sha256 {
  readonly #hash: Hash | Hmac;
  constructor(key?: string | Uint8Array) {
    this.#hash = key === undefined ? createHash('sha256') : createHmac('sha256', key);
  }
  update(data: string | Uint8Array): void {
    this.#hash.update(data);
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }
  reset(): void {}
}

test('generated requests: the signature of the signer of AWS is over our canonical request, by our key', async () => {
  const below = seededBelow(22);
  const letters = 'abcXYZ019-_.~ !*()\'"+=&é:@$,;';
  const word = (): string =>
    Array.from({ length: 1 + below(12) }, () => letters[below(letters.length)]).join('');
  for (let round = 0; round < 60; round += 1) {
    const service = below(2) === 0 ? 's3' : 'execute-api';
    const made = {
      accessKeyId: `AKID${String(below(1e9))}`,
      secretAccessKey: `${word()}${word()}`.replaceAll('é', '/'),
    };
    const theirs = new SignatureV4a({
      credentials: made,
      region: below(2) === 0 ? '*' : 'us-east-1,eu-*',
      service,
      sha256: Sha256 as never,
      uriEscapePath: service !== 's3',
      applyChecksum: true,
    });
    const path = `/${encodeURIComponent(word())}/${encodeURIComponent(word())}`;
    const query = Object.fromEntries(Array.from({ length: below(4) }, () => [word(), word()]));
    const signed = (await theirs.sign(
      {
        method: below(2) === 0 ? 'GET' : 'PUT',
        protocol: 'https:',
        hostname: 'example.amazonaws.com',
        path: service === 's3' ? strictly(path) : path,
        query,
        headers: { host: 'example.amazonaws.com', 'x-amz-meta-a': word().replaceAll('é', 'e').trim() },
        body: word(),
      } as never,
      { signingDate: new Date(nowMs) },
    )) as { method: string; path: string; headers: Record<string, string> };
    const pairs = Object.entries(query).map(
      ([name, value]) => `${strictly(encodeURIComponent(name))}=${strictly(encodeURIComponent(value))}`,
    );
    const authorization = signed.headers['authorization'] ?? signed.headers['Authorization'] ?? '';
    const fields = Object.entries(signed.headers).filter(([name]) => /^x-amz-/i.test(name));
    const head = headOf(
      `${signed.path}${pairs.length === 0 ? '' : `?${pairs.join('&')}`}`,
      fields,
      signed.method,
    );
    const { text, signedHeaders } = canonicalRequest(head, {
      service,
      payload: head.headers.first('x-amz-content-sha256') ?? '',
    });
    assert.match(authorization, new RegExp(`SignedHeaders=${signedHeaders},`), `round ${String(round)}`);
    const key = createPublicKey(
      asymmetricKey({
        accessKeyId: made.accessKeyId,
        secretAccessKey: new Secret(made.secretAccessKey),
      }),
    );
    const signature = signatureOf(authorization);
    assert.equal(isSignature(text, { service, signature, key }), true, `round ${String(round)}: ${text}`);
  }
});

function strictly(text: string): string {
  return text.replace(/[!'()*]/g, (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`);
}

test('a request that is signed for several regions is signed again for the same ones', async () => {
  const { head } = await injector().inject(
    headOf('/object', [
      claim(),
      ['x-amz-region-set', ' us-east-1 , eu-*'],
      ['x-amz-security-token', 'dummy'],
    ]),
    { ...keys, sessionToken: new Secret('token') },
    { nowMs, body: undefined },
  );
  const authorization = head.headers.first('authorization');
  assert.match(
    authorization ?? '',
    /^AWS4-ECDSA-P256-SHA256 Credential=AKIDEXAMPLE\/20150830\/s3\/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-region-set;x-amz-security-token, /,
  );
  assert.deepEqual(head.headers.all('x-amz-region-set'), ['us-east-1,eu-*']);
  assert.deepEqual(head.headers.all('x-amz-security-token'), ['token']);
  const { text } = canonicalRequest(
    { ...head, headers: head.headers.without('authorization') },
    { service: 's3', payload: emptyHash },
  );
  assert.equal(isSignature(text, { service: 's3', signature: signatureOf(authorization) }), true);
});

test('a presigned URL for several regions is presigned again for the same ones', async () => {
  const presign =
    `X-Amz-Algorithm=${algorithm}&X-Amz-Credential=DUMMY%2F20150830%2Fs3%2Faws4_request&X-Amz-Date=20150830T123000Z` +
    '&X-Amz-Expires=1500&X-Amz-SignedHeaders=host&X-Amz-Region-Set=%2A&X-Amz-Signature=00';
  const { head } = await injector().inject(headOf(`/object?${presign}`, []), keys, {
    nowMs,
    body: undefined,
  });
  const parameters = new URLSearchParams(head.query);
  assert.deepEqual(parameters.getAll('X-Amz-Region-Set'), ['*']);
  assert.deepEqual(parameters.getAll('X-Amz-Algorithm'), [algorithm]);
  const { text } = canonicalRequest(
    { ...head, query: head.query.replace(/&X-Amz-Signature=.*$/, '') },
    { service: 's3', payload: 'UNSIGNED-PAYLOAD' },
  );
  const signature = parameters.get('X-Amz-Signature') ?? '';
  assert.equal(isSignature(text, { service: 's3', signature }), true);
});

test('chunks are signed one over the other, and the length is known before the signatures are', async () => {
  const signer = new Signer(keys, { region: '*', service: 's3', isAsymmetric: true }, nowMs);
  const seed = signer.request('anything');
  const data = Buffer.alloc(70_000, 'x');
  const padded = `${'ab'.repeat(70)}****`;
  const sent = [
    `${data.length.toString(16)};chunk-signature=${padded}\r\n`,
    data,
    `\r\n0;chunk-signature=${padded}\r\nx-amz-checksum-crc32:AAAAAA==\r\nx-amz-trailer-signature:${padded}\r\n\r\n`,
  ].map((part) => Buffer.from(part));
  const rewrite = resignChunks({
    signer,
    seed,
    decodedLength: data.length,
    trailerNames: ['x-amz-checksum-crc32'],
  });
  const coded = Buffer.concat(await rewrite.rewrite(Readable.from(sent)).toArray()).toString('latin1');
  assert.equal(coded.length, rewrite.length);
  const signatures = [...coded.matchAll(/signature[=:]([0-9a-f*]{144})\r\n/g)].map(([, one = '']) => one);
  assert.equal(signatures.length, 4);
  const hash = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex');
  const hashes = [data.subarray(0, 65_536), data.subarray(65_536), Buffer.alloc(0)].map(hash);
  const lines = [...hashes.map((one) => `${emptyHash}\n${one}`), hash('x-amz-checksum-crc32:AAAAAA==\n')];
  let previous = seed;
  for (const [i, signature] of signatures.entries()) {
    const kind = i === 3 ? 'TRAILER' : 'PAYLOAD';
    const scope = '20150830T123600Z\n20150830/s3/aws4_request';
    const text = `${algorithm}-${kind}\n${scope}\n${previous}\n${lines[i] ?? ''}`;
    previous = signature.replaceAll('*', '');
    assert.equal(verify('sha256', Buffer.from(text), publicKey, Buffer.from(previous, 'hex')), true, text);
  }
});

test('a set of regions beyond the region of the credential, or none, is refused', async () => {
  const refused: readonly (readonly [readonly (readonly [string, string])[], { region?: string }, RegExp])[] =
    [
      [
        [['x-amz-region-set', '*']],
        { region: 'us-east-1' },
        /for s3 in \*, credential aws is for s3 in us-east-1/,
      ],
      [[['x-amz-region-set', 'us-east-1,eu-central-1']], { region: 'us-east-1' }, /is for s3 in us-east-1/],
      [[], {}, /names no regions/],
      [[['x-amz-region-set', 'a b']], {}, /names no regions/],
      [[['x-amz-region-set', Array(65).fill('a').join()]], {}, /names no regions/],
      [
        [
          ['x-amz-region-set', '*'],
          ['x-amz-region-set', 'a'],
        ],
        {},
        /more than once/,
      ],
      [
        [
          ['x-amz-region-set', '*'],
          ['x-amz-content-sha256', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'],
        ],
        {},
        /a way to sign chunks/,
      ],
    ];
  for (const [fields, settings, message] of refused)
    await assert.rejects(
      injector(settings).inject(headOf('/', [claim(), ...fields]), keys, { nowMs, body: undefined }),
      { code: 'signature_refused', message },
    );
  const single = injector({ region: 'us-east-1' });
  await single.inject(headOf('/', [claim(), ['x-amz-region-set', 'us-east-1']]), keys, {
    nowMs,
    body: undefined,
  });
});
