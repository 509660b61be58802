// The test cases of RFC 9421, appendix B, and examples of RFC 9530: the base is built from the message, and the signature of the RFC is one over it.

import assert from 'node:assert/strict';
import { constants, createPublicKey, verify } from 'node:crypto';
import { describe, test } from 'node:test';

import {
  derivedComponents,
  parseComponent,
  signatureBase,
} from '../../../../src/gateway/credentials/signatures/signature-base.ts';
import type { FieldReader } from '../../../../src/gateway/credentials/signatures/signature-base.ts';
import { MessageSigner } from '../../../../src/gateway/credentials/signatures/signing-key.ts';
import type { SignatureAlgorithm } from '../../../../src/gateway/credentials/signatures/signing-key.ts';
import { structuredItem } from '../../../../src/gateway/credentials/signatures/structured-field.ts';
import type { StructuredParameters } from '../../../../src/gateway/credentials/signatures/structured-field.ts';
import { HeaderList } from '../../../../src/http/header-list.ts';
import type { RequestHead } from '../../../../src/http/message-head.ts';
import { Secret } from '../../../../src/protocol/secret.ts';

const pem = (label: string, base64: string): string =>
  `-----BEGIN ${label}-----\n${base64}\n-----END ${label}-----\n`;
/** Appendix B.1. */
const rsaPss = pem(
  'PUBLIC KEY',
  `MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2
+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+
oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq
gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W
Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4
aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI
2wIDAQAB`,
);
const p256 = pem(
  'PUBLIC KEY',
  `MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf
w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==`,
);
const ed25519 = pem('PUBLIC KEY', 'MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=');
const ed25519Private = pem('PRIVATE KEY', 'MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF');
const shared = 'uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==';
const clientCert =
  ':MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:';

/** As the RFC has it (§2.1): joined. What the gateway signs for a workload refuses that. */
const joined: FieldReader = ({ headers }, name) =>
  headers
    .all(name)
    .map((value) => value.trim())
    .join(', ');

function headOf(line: string, host: string, fields: readonly (readonly [string, string])[]): RequestHead {
  const [method = '', target = ''] = line.split(' ');
  const [path = '', query] = target.split('?');
  return {
    method,
    destination: { scheme: 'https', host, port: 443 },
    path,
    query: query === undefined ? '' : `?${query}`,
    headers: new HeaderList(fields),
    httpVersion: '1.1',
  };
}

const testRequest = headOf('POST /foo?param=Value&Pet=dog', 'example.com', [
  ['Date', 'Tue, 20 Apr 2021 02:07:55 GMT'],
  ['Content-Type', 'application/json'],
  [
    'Content-Digest',
    'sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:',
  ],
  ['Content-Length', '18'],
]);
const proxied = headOf('POST /foo?param=Value&Pet=dog', 'service.internal.example', [
  ['Client-Cert', clientCert],
]);
const transformed = headOf('GET /demo?name1=Value1&Name2=value2', 'example.org', [
  ['Date', 'Fri, 15 Jul 2022 14:24:55 GMT'],
  ['Accept', 'application/json'],
  ['Accept', '*/*'],
]);

interface Case {
  readonly name: string;
  readonly head: RequestHead;
  readonly components: readonly string[];
  readonly parameters: StructuredParameters;
  readonly algorithm: SignatureAlgorithm;
  readonly publicKey?: string;
  readonly input: string;
  readonly signature: string;
}

const created = ['created', 1_618_884_473] as const;
const cases: readonly Case[] = [
  {
    name: 'B.2.1 minimal',
    head: testRequest,
    components: [],
    parameters: [created, ['keyid', 'test-key-rsa-pss'], ['nonce', 'b3k2pp5k7z-50gnwp.yemd']],
    algorithm: 'rsa-pss-sha512',
    publicKey: rsaPss,
    input: '();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"',
    signature:
      'd2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==',
  },
  {
    name: 'B.2.2 selective',
    head: testRequest,
    components: ['@authority', 'content-digest', '@query-param;name="Pet"'],
    parameters: [created, ['keyid', 'test-key-rsa-pss'], ['tag', 'header-example']],
    algorithm: 'rsa-pss-sha512',
    publicKey: rsaPss,
    input:
      '("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example"',
    signature:
      'LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==',
  },
  {
    name: 'B.2.3 full',
    head: testRequest,
    components: [
      'date',
      '@method',
      '@path',
      '@query',
      '@authority',
      'content-type',
      'content-digest',
      'content-length',
    ],
    parameters: [created, ['keyid', 'test-key-rsa-pss']],
    algorithm: 'rsa-pss-sha512',
    publicKey: rsaPss,
    input:
      '("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss"',
    signature:
      'bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==',
  },
  {
    name: 'B.2.5 hmac-sha256',
    head: testRequest,
    components: ['date', '@authority', 'content-type'],
    parameters: [created, ['keyid', 'test-shared-secret']],
    algorithm: 'hmac-sha256',
    input: '("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"',
    signature: 'pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=',
  },
  {
    name: 'B.2.6 ed25519',
    head: testRequest,
    components: ['date', '@method', '@path', '@authority', 'content-type', 'content-length'],
    parameters: [created, ['keyid', 'test-key-ed25519']],
    algorithm: 'ed25519',
    publicKey: ed25519,
    input:
      '("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"',
    signature: 'wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==',
  },
  {
    name: 'B.3 a proxy that ends TLS',
    head: proxied,
    components: ['@path', '@query', '@method', '@authority', 'client-cert'],
    parameters: [created, ['keyid', 'test-key-ecc-p256']],
    algorithm: 'ecdsa-p256-sha256',
    publicKey: p256,
    input:
      '("@path" "@query" "@method" "@authority" "client-cert");created=1618884473;keyid="test-key-ecc-p256"',
    signature: 'xVMHVpawaAC/0SbHrKRs9i8I3eOs5RtTMGCWXm/9nvZzoHsIg6Mce9315T6xoklyy0yzhD9ah4JHRwMLOgmizw==',
  },
  {
    name: 'B.4 a message that was transformed',
    head: transformed,
    components: ['@method', '@path', '@authority', 'accept'],
    parameters: [created, ['keyid', 'test-key-ed25519']],
    algorithm: 'ed25519',
    publicKey: ed25519,
    input: '("@method" "@path" "@authority" "accept");created=1618884473;keyid="test-key-ed25519"',
    signature: 'ZT1kooQsEHpZ0I1IjCqtQppOmIqlJPeo7DHR3SoMn0s5JZ1eRGS0A+vyYP9t/LXlh5QMFFQ6cpLt2m0pmj3NDA==',
  },
];

const baseOf = ({ head, components, parameters }: Case): ReturnType<typeof signatureBase> =>
  signatureBase(
    head,
    components.map((text) => parseComponent(text) ?? assert.fail(text)),
    parameters,
    joined,
  );

function isValid(base: string, { algorithm, publicKey = '', signature }: Case): boolean {
  const key = createPublicKey(publicKey);
  const given = [Buffer.from(base, 'latin1'), Buffer.from(signature, 'base64')] as const;
  if (algorithm === 'ed25519') return verify(null, given[0], key, given[1]);
  if (algorithm === 'ecdsa-p256-sha256')
    return verify('sha256', given[0], { key, dsaEncoding: 'ieee-p1363' }, given[1]);
  return verify(
    'sha512',
    given[0],
    { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 },
    given[1],
  );
}

describe('RFC 9421, appendix B: the signature that stands there is one over our base, and over no other', () => {
  for (const one of cases.filter(({ publicKey }) => publicKey !== undefined))
    test(one.name, () => {
      const { base, input } = baseOf(one);
      assert.equal(input, one.input);
      assert.equal(isValid(base, one), true);
      assert.equal(isValid(`${base} `, one), false);
    });
});

test('RFC 9421, appendix B.2.5 and B.2.6: signatures without chance come out as they stand there', async () => {
  const keys = { 'hmac-sha256': shared, ed25519: ed25519Private };
  for (const [algorithm, key] of Object.entries(keys)) {
    const one = cases.find((found) => found.algorithm === algorithm) ?? assert.fail(algorithm);
    const signer = new MessageSigner('it', one.algorithm, 'base64');
    const signature = await signer.sign(baseOf(one).base, new Secret(key));
    assert.equal(signature.toString('base64'), one.signature);
  }
});

test('RFC 9421, §2.2: derived components as the RFC has them', () => {
  const head = headOf('POST /path?param=value', 'www.example.com', []);
  const rows: readonly (readonly [string, RequestHead, string])[] = [
    ['@method', head, 'POST'],
    ['@target-uri', head, 'https://www.example.com/path?param=value'],
    ['@authority', head, 'www.example.com'],
    ['@authority', { ...head, destination: { ...head.destination, port: 8443 } }, 'www.example.com:8443'],
    ['@scheme', head, 'https'],
    ['@request-target', head, '/path?param=value'],
    ['@path', head, '/path'],
    ['@query', head, '?param=value'],
    ['@query', { ...head, query: '' }, '?'],
    [
      '@query',
      { ...head, query: '?param=value&foo=bar&baz=bat%2Dman' },
      '?param=value&foo=bar&baz=bat%2Dman',
    ],
  ];
  for (const [name, given, value] of rows) {
    const component = parseComponent(name) ?? assert.fail(name);
    assert.equal(
      signatureBase(given, [component], []).base,
      `"${name}": ${value}\n"@signature-params": ("${name}")`,
    );
  }
  assert.deepEqual(
    derivedComponents.filter((name) => !rows.some(([one]) => one === name)),
    ['@query-param'],
  );
});

test('RFC 9421, §2.2.8: parameters are decoded as a form is, and encoded in one way', () => {
  const query =
    '?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something&set=a~b';
  const head = headOf(`GET /parameters${query}`, 'www.example.com', []);
  for (const [name, value] of [
    ['var', 'this%20is%20a%20big%0Amultiline%20value'],
    ['bar', 'with%20plus%20whitespace'],
    ['set', 'a%7Eb'],
  ]) {
    const component = parseComponent(`@query-param;name="${String(name)}"`) ?? assert.fail(name);
    const [line] = signatureBase(head, [component], []).base.split('\n');
    assert.equal(line, `"@query-param";name="${String(name)}": ${String(value)}`);
  }
  const component = parseComponent('@query-param;name="a"') ?? assert.fail();
  for (const bad of ['', '?b=1', '?a=1&a=2', '?a=1&%61=2', '?a=1;b=2', '?a=%FF'])
    assert.throws(() => signatureBase(headOf(`GET /x${bad}`, 'a.test', []), [component], []), {
      code: 'signature_refused',
    });
});

test('RFC 9651: what can be written is written in one way, and the rest not at all', () => {
  assert.equal(structuredItem('a"\\b'), '"a\\"\\\\b"');
  assert.equal(
    structuredItem(Buffer.from('pretend this is binary content.')),
    ':cHJldGVuZCB0aGlzIGlzIGJpbmFyeSBjb250ZW50Lg==:',
  );
  assert.equal(structuredItem(-999_999_999_999_999), '-999999999999999');
  for (const bad of ['ä', 'a\n', '\u007f', 1.5, Number.NaN, 1e15])
    assert.throws(() => structuredItem(bad), RangeError);
});

test('what is no component is none', () => {
  for (const text of [
    '@status',
    '@signature-params',
    '@query-param',
    '@query-param;name=a',
    '@query-param;name="a b"',
    '@method;req',
    'Content-Type',
    'content-type;sf',
    'a b',
    '"date"',
    '',
  ])
    assert.equal(parseComponent(text), undefined, text);
});
