// Responses to requests with a secret of the home: what hands out a token does not pass, all else passes as it came.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { TokenGuard } from '../../../src/gateway/exchange/token-guard.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

interface Passed {
  readonly head: readonly string[] | undefined;
  readonly body: Buffer;
  readonly trailers: readonly string[] | undefined;
}

function pass(
  headers: readonly string[],
  chunks: readonly (string | Uint8Array)[],
  endsAtHead = false,
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

test('a long document goes on as soon as it is longer than a token', () => {
  const long = `{"name":"${'x'.repeat(defaultLimits.tokenResponseBytesMax)}"}`;
  assert.equal(pass(json, [long.slice(0, 100), long.slice(100)]).body.toString(), long);
  const known = [...json, 'Content-Length', String(long.length)];
  assert.equal(pass(known, [long]).body.toString(), long);
});

test('fields of a login do not pass', () => {
  const passed = pass([...json, 'Set-Cookie', 'session=x', 'X-Subject-Token', 'x', 'ETag', '"1"'], ['{}']);
  assert.deepEqual(passed.head, [...json, 'ETag', '"1"']);
  assert.deepEqual(pass(['set-cookie', 'a=b'], [], true).head, []);
});
