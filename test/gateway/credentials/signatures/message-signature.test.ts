// Kind `http-signature`: what goes out is verified from the message alone, as whoever receives it would.

import assert from 'node:assert/strict';
import { constants, createHash, createHmac, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';

import type { CredentialConfig } from '../../../../src/gateway/credentials/credential-kinds.ts';
import { MessageSigner } from '../../../../src/gateway/credentials/signatures/signing-key.ts';
import { Secret } from '../../../../src/protocol/secret.ts';
import { HeaderList } from '../../../../src/http/header-list.ts';
import { defaultLimits } from '../../../../src/protocol/limits.ts';
import { canary, findCanary } from '../../../support/canary.ts';
import { openCredentialScene } from '../support/credential-scene.ts';
import { credentialOf, credentialProblems, sentWith } from '../support/signed-request.ts';
import type { Asked, SentRequest } from '../support/signed-request.ts';

const pemOf = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();
const edKey = generateKeyPairSync('ed25519').privateKey;
const ecKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const rsaKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const shared = canary('shared');

const components = ['@method', '@target-uri', 'content-digest'];
const configOf = (written: object = {}): CredentialConfig =>
  credentialOf({ kind: 'http-signature', algorithm: 'ed25519', keyId: 'key-1', components, ...written });
const sent = (
  written: object = {},
  asked: Asked = {},
  key: KeyObject | string = edKey,
): Promise<SentRequest> => sentWith(configOf(written), typeof key === 'string' ? key : pemOf(key), asked);

const field = (headers: HeaderList, name: string): string => headers.all(name).join(' and ');

interface Received {
  readonly headers: HeaderList;
  readonly method: string;
  readonly uri: string;
}

/** A verifier that has nothing of ours: it reads the fields as text. */
function baseOf({ headers, method, uri }: Received): { readonly base: string; readonly signature: Buffer } {
  const [, label = '', input = '', list = ''] =
    /^([^=]+)=((?:\(([^)]*)\)).*)$/.exec(field(headers, 'signature-input')) ?? [];
  const url = new URL(uri);
  const lines = (list === '' ? [] : list.split(' ')).map((quoted) => {
    const name = quoted.slice(1, -1);
    const derived: Readonly<Record<string, string>> = {
      '@method': method,
      '@target-uri': uri,
      '@authority': url.host,
      '@path': url.pathname,
      '@query': url.search === '' ? '?' : url.search,
    };
    return `${quoted}: ${derived[name] ?? field(headers, name)}`;
  });
  const [, given, signature = ''] = /^([^=]+)=:([A-Za-z0-9+/=]+):$/.exec(field(headers, 'signature')) ?? [];
  assert.equal(given, label);
  return {
    base: [...lines, `"@signature-params": ${input}`].join('\n'),
    signature: Buffer.from(signature, 'base64'),
  };
}

const receivedOf = ({ head, target }: SentRequest): Received => ({
  headers: head.headers,
  method: head.method,
  uri: `https://a.test${target}`,
});

const json = '{"a":"ä"}';
const digestOf = (body: string, hash = 'sha256'): string => createHash(hash).update(body).digest('base64');

describe('each algorithm signs what is sent, and the public key verifies it', () => {
  const rows = [
    ['ed25519', edKey],
    ['ecdsa-p256-sha256', ecKey],
    ['rsa-pss-sha512', rsaKey],
  ] as const;
  for (const [algorithm, key] of rows)
    test(algorithm, async () => {
      const out = await sent({ algorithm }, { line: 'POST /in/a?x=1', body: json }, key);
      const { base, signature } = baseOf(receivedOf(out));
      assert.match(
        field(out.head.headers, 'signature-input'),
        /^sig1=\("@method" "@target-uri" "content-digest"\);created=\d{10};keyid="key-1"$/,
      );
      assert.equal(field(out.head.headers, 'content-digest'), `sha-256=:${digestOf(json)}:`);
      assert.equal(out.body, json);
      const isValid = (text: string): boolean => {
        const data = Buffer.from(text, 'latin1');
        const publicKey = createPublicKey(key);
        if (algorithm === 'ed25519') return verify(null, data, publicKey, signature);
        if (algorithm === 'ecdsa-p256-sha256')
          return verify('sha256', data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
        const padding = constants.RSA_PKCS1_PSS_PADDING;
        return verify('sha512', data, { key: publicKey, padding, saltLength: 64 }, signature);
      };
      assert.equal(isValid(base), true);
      assert.equal(isValid(base.replace('x=1', 'x=2')), false);
    });

  test('hmac-sha256, with a key in Base64', async () => {
    const secret = Buffer.from(shared);
    const written = { algorithm: 'hmac-sha256', keyEncoding: 'base64', components: ['@authority'] };
    const out = await sent(written, {}, secret.toString('base64'));
    const { base, signature } = baseOf(receivedOf(out));
    assert.deepEqual(signature, createHmac('sha256', secret).update(base).digest());
  });
});

test('time, nonce, tag, label and digest are those of the configuration', async () => {
  const written = {
    expiresSeconds: 60,
    nonce: true,
    tag: 'web-"bot"-auth',
    label: 'proxy',
    digest: 'sha-512',
  };
  const [one, other] = [await sent(written, { body: '' }), await sent(written)];
  const pattern =
    /^proxy=\(.*\);created=(\d{10});expires=(\d{10});nonce="([A-Za-z0-9+/]{32})";keyid="key-1";tag="web-\\"bot\\"-auth"$/;
  const [, created = '', expires = '', nonce] =
    pattern.exec(field(one.head.headers, 'signature-input')) ?? [];
  assert.equal(Number(expires) - Number(created), 60);
  assert.ok(Math.abs(Date.now() / 1000 - Number(created)) < 300);
  assert.notEqual(pattern.exec(field(other.head.headers, 'signature-input'))?.[3] ?? nonce, nonce);
  // RFC 9530: of no octets, where there is no body.
  for (const { head } of [one, other])
    assert.equal(field(head.headers, 'content-digest'), `sha-512=:${digestOf('', 'sha512')}:`);
});

test('a body that is not covered streams by; one that is covered is held up to the bound', async () => {
  const limits = { ...defaultLimits, signedBodyBytesMax: 10 };
  const free = { components: ['@method', '@authority'] };
  assert.equal((await sent(free, { body: 'x'.repeat(11), limits })).body.length, 11);
  assert.equal((await sent({}, { body: 'x'.repeat(10), limits })).body.length, 10);
  await assert.rejects(sent({}, { body: 'x'.repeat(11), limits }), {
    code: 'body_too_large',
    limit: 'signedBodyBytesMax',
  });
});

describe('a workload that knows how it is made', () => {
  test('has its own signature, digest and date replaced, and two of them refused', async () => {
    const written = { components: ['date', 'content-digest'] };
    for (const name of ['Signature', 'signature-input', 'Signature_Input', 'Content-Digest', 'DATE']) {
      const { head } = await sent(written, { fields: [[name, 'own=:AAAA:']], body: json });
      assert.equal([...head.headers].flat().includes('own=:AAAA:'), false, name);
      assert.equal(head.headers.size, 4);
      const fields = [name, name.toLowerCase()].map((one) => [one, 'own=:AAAA:'] as const);
      await assert.rejects(sent(written, { fields, body: json }), { code: 'signature_refused' });
    }
  });

  const rows: readonly (readonly [string, Asked])[] = [
    ['a field that is missing', {}],
    ['a field with an underscore', { fields: [['X_What', 'a']] }],
    ['a field beyond ASCII', { fields: [['X-What', '\u00e4']] }],
    ['a field that stands twice', { fields: ['X-What', 'x-what'].map((name) => [name, 'a'] as const) }],
    [
      'a field that stands twice to some',
      { fields: ['X-What', 'X_What'].map((name) => [name, 'a'] as const) },
    ],
    ['a method in small letters', { line: 'post /a', fields: [['X-What', 'a']] }],
    ['no path', { line: 'OPTIONS *', fields: [['X-What', 'a']] }],
  ];
  const written = { components: ['@method', '@path', 'x-what'] };
  for (const [what, asked] of rows)
    test(`${what} is not signed`, async () => {
      await assert.rejects(sent(written, asked), { code: 'signature_refused' });
      assert.match(
        field((await sent(written, { fields: [['X-What', 'a']] })).head.headers, 'signature'),
        /^sig1=:.+:$/,
      );
    });

  test('generated fields and targets: the base has a line for each component, and the verifier finds the same', async () => {
    const octets = fc.stringMatching(/^[\x21-\x7e]([\x20-\x7e]{0,20}[\x21-\x7e])?$/);
    const query = fc.stringMatching(/^[A-Za-z0-9=&._~%+-]{0,20}$/);
    await fc.assert(
      fc.asyncProperty(octets, query, async (value, asked) => {
        const line = `POST /in/a?${asked}`;
        const out = await sent(
          { components: ['@method', 'x-what', '@request-target', '@authority'] },
          { line, fields: [['X-What', value]] },
        );
        const input = field(out.head.headers, 'signature-input').slice('sig1='.length);
        const base = [
          '"@method": POST',
          `"x-what": ${value}`,
          `"@request-target": ${out.target}`,
          '"@authority": a.test',
          `"@signature-params": ${input}`,
        ].join('\n');
        const { signature } = baseOf(receivedOf(out));
        assert.equal(verify(null, Buffer.from(base), createPublicKey(edKey), signature), true);
      }),
      { seed: 9421, numRuns: 60 },
    );
  });
});

test('many at once are all signed, two at a time', async () => {
  const signer = new MessageSigner('it', 'rsa-pss-sha512', 'text');
  const secret = new Secret(pemOf(rsaKey));
  const texts = Array.from({ length: 20 }, (_, at) => `text ${String(at)}`);
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  const key = { key: createPublicKey(rsaKey), padding, saltLength: 64 };
  const signatures = await Promise.all(texts.map((text) => signer.sign(text, secret)));
  for (const [at, signature] of signatures.entries())
    assert.equal(verify('sha512', Buffer.from(texts[at] ?? ''), key, signature), true);
  // A key that cannot is no end of the others' turns.
  const hashes = { hashAlgorithm: 'sha256', mgf1HashAlgorithm: 'sha256' };
  const bound = generateKeyPairSync('rsa-pss', { modulusLength: 2048, ...hashes }).privateKey;
  for (let times = 0; times < 3; times += 1)
    await assert.rejects(signer.sign('a', new Secret(pemOf(bound))), { code: 'credential_unavailable' });
  assert.equal((await signer.sign('a', secret)).length, 256);
});

test('a key that does not fit is not used, and nothing of it is told', async () => {
  const secret = canary('pem');
  const rows: readonly (readonly [string, KeyObject | string, RegExp])[] = [
    ['ed25519', ecKey, /ed25519 needs a key of Ed25519/],
    [
      'ecdsa-p256-sha256',
      generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
      /needs a key of P-256/,
    ],
    ['rsa-pss-sha512', edKey, /needs a key of RSA/],
    ['rsa-pss-sha512', generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey, /2,048 to 8,192 bits/],
    [
      'ed25519',
      `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----`,
      /not a private key as PEM/,
    ],
  ];
  for (const [algorithm, key, expected] of rows)
    await assert.rejects(sent({ algorithm }, { body: json }, key), (error: Error) => {
      assert.match(error.message, expected);
      return !inspect(error, { depth: 8 }).includes(secret);
    });
});

test('through a gateway, over both versions of HTTP: it verifies at the origin, and the key is nowhere', async () => {
  const key = pemOf(edKey);
  const covered = { components: ['@method', '@authority', '@path', '@query', 'content-digest'] };
  await using opened = await openCredentialScene({
    credential: configOf(covered),
    environment: { KEY: key },
  });
  const length = `Content-Length: ${Buffer.byteLength(json)}`;
  assert.equal((await opened.post('/in/a?x=%2f', [length, 'Signature: own=:AAAA:'], json)).status, 200);
  assert.equal((await opened.get2('/in/./a', {}, json)).status, 200);
  assert.equal(opened.seen.length, 2);
  for (const { headers, target, body } of opened.seen) {
    assert.equal(body, json);
    const told = new HeaderList(Object.entries(headers).map(([name, value]) => [name, String(value)]));
    assert.equal(field(told, 'content-digest'), `sha-256=:${digestOf(json)}:`);
    const { base, signature } = baseOf({
      headers: told,
      method: 'POST',
      uri: `https://${opened.at}${target}`,
    });
    assert.equal(verify(null, Buffer.from(base), createPublicKey(edKey), signature), true);
  }
  const { parts, audit } = opened.path;
  const all = [opened.received(), JSON.stringify([audit, opened.seen]), inspect(parts, { depth: 12 })].join(
    '\n',
  );
  // Positive control: the same search finds what the response repeats.
  assert.ok(all.includes(String(opened.seen[0]?.headers['signature'])));
  assert.deepEqual(findCanary(all, key.split('\n')[1] ?? ''), []);
});

test('what cannot work is told when the configuration is read', () => {
  const problems = (written: object): string =>
    credentialProblems({ kind: 'http-signature', algorithm: 'ed25519', keyId: 'k', components, ...written });
  assert.equal(problems({}), '');
  assert.match(problems({ algorithm: 'rsa-v1_5-sha256' }), /write one of ed25519, ecdsa-p256-sha256/);
  assert.match(problems({ keyId: 'ä' }), /name by which the service knows the key/);
  assert.match(problems({ components: [] }), /write a list of what is signed/);
  assert.match(problems({ components: ['@method', '@method'] }), /each component once/);
  assert.match(problems({ components: ['@status'] }), /write a field in lower case, one of @method/);
  assert.match(problems({ components: ['Content-Type'] }), /in lower case/);
  for (const name of ['cookie', 'accept', 'content-length', 'signature', 'connection', 'host', 'via'])
    assert.match(problems({ components: [name] }), /changed behind the signature/, name);
  assert.match(problems({ expiresSeconds: 0 }), /seconds from 1 to 3600/);
  assert.match(problems({ label: 'Sig' }), /label such as sig1/);
});
