// Responses to requests with a secret of the home: what hands out a token does not pass, all else passes as it came.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { TokenGuard } from '../../../src/gateway/exchange/token-guard.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

interface Passed {
  readonly head: readonly string[] | undefined;
  readonly body: Buffer;
  readonly trailers: readonly string[] | undefined;
}

interface PassOptions {
  readonly endsAtHead?: boolean;
  readonly onBody?: (chunk: Buffer) => void;
}

function pass(
  headers: readonly string[],
  chunks: readonly (string | Uint8Array)[],
  { endsAtHead = false, onBody = () => undefined }: PassOptions = {},
): Passed {
  let head: readonly string[] | undefined;
  let trailers: readonly string[] | undefined;
  const body: Buffer[] = [];
  const guard = new TokenGuard(
    {
      onInformation: () => undefined,
      onHead: (status, raw) => {
        assert.equal(status, 200);
        assert.equal(head, undefined);
        head = raw;
      },
      onData: (chunk) => {
        assert.notEqual(head, undefined);
        body.push(Buffer.from(chunk));
        onBody(Buffer.from(chunk));
        return true;
      },
      onTrailers: (raw) => (trailers = raw),
    },
    'r.test',
  );
  guard.onHead(200, headers, endsAtHead);
  for (const chunk of chunks) guard.onData(Buffer.from(chunk), () => undefined);
  guard.onTrailers(['X-End', '1', 'Authorization', 'Bearer x']);
  guard.end();
  guard.end();
  return { head, body: Buffer.concat(body), trailers };
}

const json = ['Content-Type', 'application/json'];

test('documents with tokens do not pass, in one piece or many, coded or not', () => {
  const documents = [
    '{"token":"abc","expires_in":300}',
    '{"access_token":"abc"}',
    '{"accessToken":"abc"}',
    '{"data":{"refresh-token":"abc"}}',
    '[{"id_token":"abc"}]',
    '{"objects":[{"key":"x","token":"abc"}]}',
    '{"password":"abc"}',
    '"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"',
  ];
  const refused = { code: 'policy_denied', message: /responded with a token/ };
  for (const text of documents) {
    assert.throws(() => pass(json, [text]), refused, text);
    assert.throws(() => pass(json, [...text]), refused, text);
    assert.throws(() => pass([...json, 'Content-Encoding', 'gzip'], [gzipSync(text)]), refused, text);
    assert.throws(() => pass([], [text]), refused, text);
    assert.throws(() => pass([], [`\ufeff ${text}`]), refused, text);
  }
  const form = ['content-type', 'application/x-www-form-urlencoded'];
  assert.throws(() => pass(form, ['scope=x&access_token=abc']), refused);
  assert.throws(
    () => pass(['content-type', 'text/xml'], ['<a><SecretAccessKey>x</SecretAccessKey></a>']),
    refused,
  );
});

test('what registries respond with passes unchanged', () => {
  const packument = JSON.stringify({
    name: 'a',
    versions: { '1.0.0': { dependencies: { token: '^1', jwt: '2' } } },
  });
  for (const [headers, chunks] of [
    [json, [packument]],
    [json, ['{', '}']],
    [json, []],
    [json, ['no document']],
    [['Content-Type', 'text/plain'], ['# Read me\n\n{"token":"abc"} is what a login responds with.\n']],
    [json, ['{"token":"","password":null,"a":{"token":"x"},"data":[[[[{"token":"x"}]]]]}']],
    [[...json, 'Content-Encoding', 'gzip'], [gzipSync(packument)]],
    [['Content-Type', 'application/octet-stream'], ['{"token":"abc"}']],
    [['Content-Type', 'text/html'], ['<a href="x">token</a>']],
  ] as const) {
    const passed = pass(headers, chunks);
    assert.deepEqual(passed.head, headers);
    assert.deepEqual(passed.body, Buffer.concat(chunks.map((chunk) => Buffer.from(chunk))));
    assert.deepEqual(passed.trailers, ['X-End', '1']);
  }
});

const long = 'x'.repeat(defaultLimits.tokenResponseBytesMax);
const refusedToken = { code: 'policy_denied', message: /responded with a token/ };
const refusedForm = { code: 'policy_denied', message: /cannot be looked through for tokens/ };

test('a long document goes on as soon as it is longer than what is held', () => {
  const text = `{"name":"${long}","versions":{"1.0.0":{"token":"abc","list":[{"token":"abc"}]}},"data":"token"}`;
  assert.equal(pass(json, [text.slice(0, 100), text.slice(100)]).body.toString(), text);
  const known = [...json, 'Content-Length', String(text.length)];
  assert.equal(pass(known, [text]).body.toString(), text);
});

test('a long document with a token does not pass beyond it, wherever the token stands and however it comes', () => {
  const documents = [
    `{"name":"${long}","token":"abc"}`,
    `{"token":"abc","name":"${long}"}`,
    `{"name":"${long}","to\\u006ben":"abc"}`,
    `{"a":{"b":["${long}"]},"data":{"access_token":"abc"}}`,
    `[{"name":"${long}"},{"id_token":"abc"}]`,
    `{"name":"${long}"}\n{"token":"abc"}\n`,
    `)]}',\n{"name":"${long}","jwt":"abc"}`,
    `<a>${long}<SessionToken>abc</SessionToken></a>`,
  ];
  for (const text of documents) {
    for (const size of [1, 7, 4_096, text.length]) {
      const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, at) =>
        text.slice(at * size, (at + 1) * size),
      );
      const passed: Buffer[] = [];
      assert.throws(
        () => pass(json, chunks, { onBody: (chunk) => passed.push(chunk) }),
        refusedToken,
        text.slice(-60),
      );
      assert.doesNotMatch(Buffer.concat(passed).toString(), /abc/);
    }
  }
});

test('what cannot be looked through does not pass: long and coded, broken, of another coding, of wide characters, a long form', () => {
  const tokenBehind = `{"name":"${long.repeat(5)}","token":"abc"}`;
  const cases: readonly (readonly [readonly string[], Uint8Array])[] = [
    [[...json, 'Content-Encoding', 'gzip'], gzipSync(tokenBehind)],
    [[...json, 'Content-Encoding', 'gzip'], gzipSync(randomBytes(80_000))],
    [[...json, 'Content-Encoding', 'gzip'], Buffer.from('{"token":"abc"}')],
    [[...json, 'Content-Encoding', 'compress'], Buffer.from('{}')],
    [[...json, 'Content-Encoding', 'gzip, gzip'], gzipSync(gzipSync('{"token":"abc"}'))],
    [json, Buffer.from('{"token":"abc"}', 'utf16le')],
    [json, Buffer.from('\ufeff{"token":"abc"}', 'utf16le')],
    [['Content-Type', 'application/json; charset=UTF-16'], Buffer.from('{}')],
    [['Content-Type', 'application/x-www-form-urlencoded'], Buffer.from(`a=${long}&access_token=abc`)],
    [['Content-Type', 'text/plain'], Buffer.from(`eyJ${long}.${long}.x`)],
  ];
  for (const [headers, body] of cases) {
    const halves = [body.subarray(0, 10), body.subarray(10, 60_000), body.subarray(60_000)];
    assert.throws(() => pass(headers, halves), refusedForm, headers.join(' '));
  }
});

test('fields of a login do not pass', () => {
  const passed = pass([...json, 'Set-Cookie', 'session=x', 'X-Subject-Token', 'x', 'ETag', '"1"'], ['{}']);
  assert.deepEqual(passed.head, [...json, 'ETag', '"1"']);
  assert.deepEqual(pass(['set-cookie', 'a=b'], [], { endsAtHead: true }).head, []);
});
