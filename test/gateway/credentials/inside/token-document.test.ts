// Tokens in documents, forms and addresses, generated and by hand: none of them is in what is written, and all else is as it was.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readAddress, writeAddress } from '../../../../src/gateway/credentials/inside/token-address.ts';
import {
  type ReadTokensOptions,
  readTokens,
  type TokenDocument,
} from '../../../../src/gateway/credentials/inside/token-document.ts';
import { tokenKindOf } from '../../../../src/gateway/credentials/inside/token-members.ts';
import { readRequest } from '../../../../src/gateway/credentials/inside/token-request.ts';
import { UnreadableBody } from '../../../../src/understand/json-value.ts';
import { seededBelow } from '../../../support/seeded.ts';

const seed = Number(process.env['TEST_SEED'] ?? 20_261_128);
const options: ReadTokensOptions = {
  form: 'json',
  isError: false,
  known: new Map(),
  tokensMax: 64,
  tokenCharactersMax: 4_096,
};

type Below = (below: number) => number;
type Plain = null | boolean | number | string | readonly Plain[] | { readonly [name: string]: Plain };

const tokenNames = [
  'access_token',
  'refresh_token',
  'id_token',
  'device_code',
  'client_secret',
  'registration_access_token',
  'AccessToken',
  'bot.access-token',
  'token',
  'password',
  'assertion',
];
const otherNames = [
  'scope',
  'expires_in',
  'token_type',
  'state',
  'client_id',
  'issued_token_type',
  'user_code',
  'a',
  'ß',
];
const tokenAlphabet = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/=!$';

function tokenOf(below: Below): string {
  return `tk${Array.from({ length: 10 + below(40) }, () => tokenAlphabet[below(tokenAlphabet.length)]).join('')}`;
}

/** A value with tokens in it, which go to `made`; `name` is the one above it. */
function valueOf(below: Below, made: string[], depth = 0): Plain {
  const kind = below(depth > 3 ? 4 : 6);
  if (kind === 0) return null;
  if (kind === 1) return below(2) === 0;
  if (kind === 2) return below(100_000);
  if (kind === 3) return ['plain', 'ünï', 'a "quoted" \\ one', '\u2028', ''][below(5)] ?? '';
  if (kind === 4) return Array.from({ length: below(3) }, () => valueOf(below, made, depth + 1));
  return objectOf(below, made, depth + 1);
}

function objectOf(below: Below, made: string[], depth: number): Plain {
  const members: Record<string, Plain> = {};
  for (let n = below(6); n > 0; n--) {
    if (below(2) === 0) members[otherNames[below(otherNames.length)] ?? ''] = valueOf(below, made, depth);
    else {
      const token = tokenOf(below);
      made.push(token);
      const isListed = below(4) === 0;
      members[tokenNames[below(tokenNames.length)] ?? ''] = isListed ? [token, ''] : token;
    }
  }
  return members;
}

function read(octets: string | Uint8Array, more: Partial<ReadTokensOptions> = {}): TokenDocument {
  const document = readTokens(Buffer.from(octets), { ...options, ...more });
  assert.ok(!(document instanceof UnreadableBody), document instanceof UnreadableBody ? document.reason : '');
  return document;
}

/** Each token has a number in its place. */
function numbered(): { readonly of: (token: string) => string; readonly back: (text: string) => string } {
  const known = new Map<string, string>();
  return {
    of: (token) => {
      const placeholder = known.get(token) ?? `PLACEHOLDER${String(known.size)}.`;
      known.set(token, placeholder);
      return placeholder;
    },
    back: (text) =>
      [...known].reduce(
        (all, [token, one]) => all.replaceAll(one, () => JSON.stringify(token).slice(1, -1)),
        text,
      ),
  };
}

test(`generated documents lose their tokens and nothing else (seed ${String(seed)})`, () => {
  const below = seededBelow(seed);
  for (let round = 0; round < 400; round++) {
    const made: string[] = [];
    const value = objectOf(below, made, 0);
    const text = JSON.stringify(value, undefined, below(3));
    // A name that was there before took the place of an earlier token.
    const there = made.filter((token) => text.includes(JSON.stringify(token)));
    const { of, back } = numbered();
    const document = read(text);
    const written = document.write(of).toString('utf8');
    assert.deepEqual(new Set(document.tokens.map((one) => one.value)), new Set(there), text);
    for (const token of there) assert.equal(written.includes(token), false, text);
    assert.deepEqual(JSON.parse(back(written)), value, text);
  }
});

test(`generated forms and addresses do too, however they are encoded (seed ${String(seed)})`, () => {
  const below = seededBelow(seed + 1);
  const encoded = (text: string): string =>
    Array.from(text, (one) =>
      below(4) === 0 ? `%${one.charCodeAt(0).toString(16).padStart(2, '0')}` : encodeURIComponent(one),
    ).join('');
  for (let round = 0; round < 400; round++) {
    const made: string[] = [];
    const names = [...new Set(Array.from({ length: 1 + below(5) }, () => below(11) + 1))];
    const fields = names.map((n) => {
      const token = tokenOf(below);
      if (n <= 5) made.push(token);
      const name =
        ['', 'access_token', 'refresh_token', 'device_code', 'client_secret', 'id_token'][n] ??
        `x${String(n)}`;
      return `${encoded(name)}=${encoded(n <= 5 ? token : 'plain text')}`;
    });
    const { of } = numbered();
    const document = read(fields.join('&'), { form: 'form' });
    assert.deepEqual(
      document.tokens.map(({ value }) => value),
      made,
    );
    const written = new URLSearchParams(document.write(of).toString('utf8'));
    for (const value of written.values()) assert.equal(made.includes(value), false);
    assert.equal([...written].length, fields.length);
    const address = `https://app.test/cb${below(2) === 0 ? '?' : '#'}${fields.join('&')}&state=1`;
    const found = readAddress(address);
    assert.deepEqual(
      found?.tokens.map(({ value }) => value),
      made,
    );
    const shown = decodeURIComponent(found === undefined ? '' : writeAddress(found, of));
    for (const token of made) assert.equal(shown.includes(token), false, address);
    assert.ok(shown.endsWith('&state=1'));
  }
});

test(`what breaks a document at a joint makes it unreadable, or shows no token (seed ${String(seed)})`, () => {
  const below = seededBelow(seed + 2);
  const joints = [
    '\ufeff',
    '\0',
    ',',
    '{',
    '}',
    '"',
    '/**/',
    '\u00a0',
    '\v',
    '"access_token":"x",',
    'NaN',
    '\\',
    "'",
  ];
  let unreadable = 0;
  for (let round = 0; round < 400; round++) {
    const made: string[] = [];
    const parts = JSON.stringify({ a: 1, access_token: tokenOf(below), b: objectOf(below, made, 1) }).split(
      /(?<=[{}[\],:])(?=")/,
    );
    const at = below(parts.length + 1);
    const text = [...parts.slice(0, at), joints[below(joints.length)] ?? '', ...parts.slice(at)].join('');
    const document = readTokens(Buffer.from(text), options);
    if (document instanceof UnreadableBody) unreadable += 1;
    else assert.doesNotMatch(document.write(numbered().of).toString('utf8'), /"tk/, text);
  }
  assert.ok(unreadable > 300, String(unreadable));
});

test('an error has a code that is none, and a document says what kind of token it gives', () => {
  const error = read('{"error":"x","code":"bad_verification_code"}', { isError: true });
  assert.deepEqual([error.tokens, error.error], [[], 'x']);
  assert.equal(read('{"code":"bad_verification_code"}').tokens.length, 1);
  const given = read('{"access_token":"abcdefgh","token_type":"Bearer","expires_in":"60"}');
  assert.deepEqual([given.tokenType, given.expiresInSeconds], ['bearer', 60]);
  for (const text of [
    '{"access_token":12345678}',
    '{"access_token":"short"}',
    '{"access_token":"with a space"}',
    '{"a":"x","a":"y"}',
  ])
    assert.ok(readTokens(Buffer.from(text), options) instanceof UnreadableBody, text);
  const many = JSON.stringify({
    tokens: Array.from({ length: 65 }, (_, n) => ({ token: `tk-00000${String(n)}` })),
  });
  assert.ok(readTokens(Buffer.from(many), options) instanceof UnreadableBody);
  assert.equal(tokenKindOf('issued_token_type'), undefined);
  assert.equal(tokenKindOf('token_endpoint'), undefined);
});

test('a request is read where each parameter stands once, and only its own parameters change', () => {
  const form = readRequest(Buffer.from('grant_type=refresh_token&refresh_token=a%2Bb&scope=x+y'), 'form');
  assert.ok(!(form instanceof UnreadableBody));
  assert.deepEqual(form.mentioned, [{ name: 'refresh_token', value: 'a+b' }]);
  assert.equal(
    form.write(new Map([['refresh_token', 'c d&e']])).toString(),
    'grant_type=refresh_token&refresh_token=c+d%26e&scope=x+y',
  );
  const json = readRequest(
    Buffer.from('{"grant_type":"refresh_token","refresh_token":"a","n":1e400,"o":{"token":"b"}}'),
    'json',
  );
  assert.ok(!(json instanceof UnreadableBody));
  assert.deepEqual(json.mentioned, [{ name: 'refresh_token', value: 'a' }]);
  assert.equal(
    json.write(new Map([['refresh_token', 'z']])).toString(),
    '{"grant_type":"refresh_token","refresh_token":"z","n":1e400,"o":{"token":"b"}}',
  );
  for (const text of ['a=1&a=2', 'a=1&A=2', 'a-b=1&a_b=2', 'a', 'a[]=1', 'a=%ff', 'a=%00', 'a=1;b=2', '=1'])
    assert.ok(readRequest(Buffer.from(text), 'form') instanceof UnreadableBody, text);
});
