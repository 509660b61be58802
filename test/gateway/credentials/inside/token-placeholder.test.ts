// What stands in the place of tokens: of their form, and with nothing of them.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';

import { placeholderForToken } from '../../../../src/gateway/credentials/inside/token-placeholder.ts';
import { seededBelow } from '../../../support/seeded.ts';

const seed = Number(process.env['TEST_SEED'] ?? 20_261_128);
const random = (count: number): Uint8Array => randomBytes(count);
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** The longest text that both have. */
function shared(one: string, other: string): number {
  let longest = 0;
  for (let from = 0; from < one.length; from++)
    while (other.includes(one.slice(from, from + longest + 1)) && from + longest < one.length) longest += 1;
  return longest;
}

test(`opaque tokens keep the beginning of their kind and their length, and nothing else (seed ${String(seed)})`, () => {
  const below = seededBelow(seed);
  const beginnings = ['gho_', 'ghr_', 'github_pat_', 'glpat-', 'xoxb-', 'ya29.', '1//', 'sk-ant-oat01-', ''];
  const alphabets = [
    '0123456789abcdef',
    'abcdefghijklmnopqrstuvwxyz0123456789',
    'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef-_.~+/=',
    '0123456789',
  ];
  const seen = new Set<string>();
  for (let round = 0; round < 300; round++) {
    const beginning = beginnings[below(beginnings.length)] ?? '';
    const alphabet = alphabets[below(alphabets.length)] ?? '';
    const rest = Array.from({ length: 8 + below(80) }, () => alphabet[below(alphabet.length)]).join('');
    const token = beginning + rest;
    const placeholder = placeholderForToken(token, random);
    assert.ok(placeholder.startsWith(beginning), token);
    assert.match(placeholder, /^[A-Za-z0-9_.~/-]+$/);
    assert.ok(placeholder.length >= token.length && placeholder.length - beginning.length >= 27, placeholder);
    if (token.length > 60) assert.equal(placeholder.length, token.length);
    if (alphabet.length === 16 && beginning === '') assert.match(placeholder, /^[0-9a-f]+$/);
    assert.ok(shared(rest, placeholder.slice(beginning.length)) < 12, `${token} ${placeholder}`);
    assert.equal(seen.has(placeholder), false);
    seen.add(placeholder);
  }
});

test('of an encrypted JSON Web Token how it is encrypted stays, and five parts of its lengths', () => {
  const head = part({ alg: 'RSA-OAEP-256', enc: 'A256GCM', cty: 'JWT', kid: 'k', epk: { x: 'secret' } });
  for (const key of [randomBytes(256).toString('base64url'), '']) {
    const rest = [key, ...[12, 400, 16].map((octets) => randomBytes(octets).toString('base64url'))];
    const token = [head, ...rest].join('.');
    const [one, other] = [placeholderForToken(token, random), placeholderForToken(token, random)];
    assert.notEqual(one, other);
    const [shown = '', ...parts] = one.split('.');
    assert.deepEqual(JSON.parse(Buffer.from(shown, 'base64url').toString()), {
      alg: 'RSA-OAEP-256',
      enc: 'A256GCM',
    });
    assert.deepEqual(
      parts.map(({ length }) => length),
      rest.map(({ length }) => length),
    );
    for (const own of rest) assert.ok(own === '' || !one.includes(own));
  }
  // Whatever is empty or long: enough of it is random.
  const least = placeholderForToken(`${head}....`, random);
  assert.match(least, /^eyJ[A-Za-z0-9_-]+\.\.\.[A-Za-z0-9_-]{43}\.$/);
});

test('of a JSON Web Token the claims stay that clients read, and its signature is another one each time', () => {
  const claims = {
    iss: 'https://as.test',
    sub: 'user-1',
    aud: ['a', 'b'],
    exp: 2_000_000_000,
    iat: 1_999_996_400,
    nonce: 'n',
    scope: 'openid',
    email: 'person@example.com',
    name: 'A Person',
    groups: ['admins'],
    at_hash: 'x',
    jti: 'secret-id',
    sid: 'secret-session',
    cnf: { jkt: 'k' },
    azp: { odd: 'one' },
  };
  const token = `${part({ alg: 'RS256', typ: 'at+jwt', kid: 'k', jwk: { k: 'v' } })}.${part(claims)}.${randomBytes(256).toString('base64url')}`;
  const [one, other] = [placeholderForToken(token, random), placeholderForToken(token, random)];
  assert.notEqual(one, other);
  const [head = '', body = '', signature = ''] = one.split('.');
  const json = (text: string): unknown => JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  assert.deepEqual(json(head), { alg: 'RS256', typ: 'at+jwt' });
  const { iss, sub, aud, exp, iat, nonce, scope } = claims;
  assert.deepEqual(json(body), { iss, sub, aud, exp, iat, nonce, scope });
  assert.equal(Buffer.from(signature, 'base64url').length, 256);
  assert.ok(shared(token.split('.')[2] ?? '', signature) < 8);
});

test('what only looks like one has nothing of it in its place', () => {
  const twice = Buffer.from('{"sub":"a","sub":"b"}').toString('base64url');
  for (const body of [twice, part(['a']), part('text'), 'bm90IGpzb24', part({ a: '\ud800' })]) {
    const token = `${part({ alg: 'none' })}.${body}.${randomBytes(40).toString('base64url')}`;
    const placeholder = placeholderForToken(token, random);
    assert.equal(placeholder.includes('.'), false);
    assert.ok(shared(token, placeholder) < 8, placeholder);
  }
});
