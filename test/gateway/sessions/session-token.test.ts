import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import {
  ownIssuer,
  verifySessionToken,
  type VerifiedToken,
} from '../../../src/gateway/sessions/session-token.ts';
import { createSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { issueSessionToken, sessionTokenType } from '../../../src/gateway/sessions/token-issuer.ts';
import { audience, createAgentKey, encode, issuer, startMs } from '../session-fixture.ts';

const key = createSigningKey();
const nowSeconds = startMs / 1000;
const rightClaims = {
  iss: issuer,
  aud: audience,
  sub: 'job-1',
  jti: 'jti-1',
  iat: nowSeconds,
  nbf: nowSeconds,
  exp: nowSeconds + 600,
};
type Members = Readonly<Record<string, unknown>>;

const verify = (token: string, nowMs = startMs): Promise<VerifiedToken> =>
  verifySessionToken(token, { trust: [ownIssuer(key, issuer)], audience, nowMs });
const tokenWith = (claims: Members): string => key.signJwt(sessionTokenType, { ...rightClaims, ...claims });
const withHeader = (header: Members, signature = 'c2lnbmF0dXJl'): string =>
  `${encode(header)}.${encode(rightClaims)}.${signature}`;
const right = tokenWith({});
const [rightHeader = '', rightPayload = '', rightSignature = ''] = right.split('.');

test('a token that we issued is verified with its claims', async () => {
  const token = issueSessionToken({
    key,
    issuer,
    audience,
    subject: 'job-1',
    claims: { team: 'build' },
    ttlSeconds: 60,
    nowMs: startMs,
  });
  const { claims, ...verified } = await verify(token);
  assert.equal(claims['team'], 'build');
  assert.deepEqual(
    { ...verified, tokenKey: '' },
    { issuer, subject: 'job-1', expiresMs: startMs + 90_000, tokenKey: '' },
  );
});

test('the token key depends on issuer and jti alone', async () => {
  const { tokenKey } = await verify(right);
  assert.equal((await verify(tokenWith({ exp: nowSeconds + 1 }))).tokenKey, tokenKey);
  assert.notEqual((await verify(tokenWith({ jti: 'jti-2' }))).tokenKey, tokenKey);
});

const other = createSigningKey();
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ownPublicPem = key.publicKey.export({ type: 'spki', format: 'pem' });
const ownPublicX = key.publicKey.export({ format: 'jwk' }).x ?? '';
const hmacOf = (secret: string | Buffer): string => {
  const input = `${encode({ alg: 'HS256', typ: sessionTokenType, kid: key.kid })}.${encode(rightClaims)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
};
const rsaSigned = (): string => {
  const input = `${encode({ alg: 'RS256', typ: sessionTokenType, kid: key.kid })}.${encode(rightClaims)}`;
  return `${input}.${sign('sha256', Buffer.from(input), rsa.privateKey).toString('base64url')}`;
};
const attacker = createAgentKey();
const attackerSigned = (header: Members): string => {
  const input = `${encode({ alg: 'EdDSA', typ: sessionTokenType, ...header })}.${encode(rightClaims)}`;
  return `${input}.${sign(null, Buffer.from(input), attacker.privateKey).toString('base64url')}`;
};
const rawPayload = (json: string): string =>
  `${rightHeader}.${Buffer.from(json).toString('base64url')}.${rightSignature}`;
const typ = sessionTokenType;

const refused: readonly (readonly [name: string, token: string, code: string])[] = [
  // Form
  ['an empty token', '', 'token_malformed'],
  ['a word', 'token', 'token_malformed'],
  ['two segments', `${rightHeader}.${rightPayload}`, 'token_malformed'],
  ['four segments', `${right}.x`, 'token_malformed'],
  ['five segments, an encrypted token', `${right}.x.x`, 'token_malformed'],
  ['an empty signature', `${rightHeader}.${rightPayload}.`, 'token_malformed'],
  ['a trailing line feed', `${right}\n`, 'token_malformed'],
  ['trailing garbage', `${right}!`, 'token_malformed'],
  ['a leading space', ` ${right}`, 'token_malformed'],
  ['padding', `${right}==`, 'token_malformed'],
  ['stray low bits in the signature', strayBits(right), 'token_malformed'],
  ['base64 instead of base64url', right.replace(rightSignature, 'ab+/'), 'token_malformed'],
  ['an oversized token', tokenWith({ padding: 'x'.repeat(16 * 1024) }), 'token_malformed'],
  ['a header that is not JSON', `bm90IGpzb24.${rightPayload}.${rightSignature}`, 'token_malformed'],
  ['a header that is an array', `${encode([])}.${rightPayload}.${rightSignature}`, 'token_malformed'],
  ['a payload that is null', `${rightHeader}.${encode(null)}.${rightSignature}`, 'token_malformed'],
  ['a payload that is not UTF-8', `${rightHeader}._w.${rightSignature}`, 'token_malformed'],
  ['a payload with a byte order mark', rawPayload('\ufeff{}'), 'token_malformed'],
  ['a claim twice', rawPayload(`{"iss":"${issuer}","iss":"evil"}`), 'token_malformed'],
  ['a claim twice by an escape', rawPayload(`{"iss":"${issuer}","\\u0069ss":"evil"}`), 'token_malformed'],
  ['a member twice in depth', rawPayload(`{"iss":"${issuer}","a":[{"b":1,"b":2}]}`), 'token_malformed'],
  // Algorithm and key
  ['alg none', withHeader({ alg: 'none', typ }), 'token_invalid'],
  ['alg None', withHeader({ alg: 'None', typ }), 'token_invalid'],
  ['no alg', withHeader({ typ }), 'token_invalid'],
  ['an alg that is a list', withHeader({ alg: ['EdDSA'], typ }), 'token_invalid'],
  ['HS256 keyed with our public PEM', hmacOf(ownPublicPem), 'token_invalid'],
  ['HS256 keyed with our raw public key', hmacOf(Buffer.from(ownPublicX, 'base64url')), 'token_invalid'],
  ['RS256 under our kid', rsaSigned(), 'token_invalid'],
  ['a key in the header', attackerSigned({ kid: key.kid, jwk: attacker.jwk }), 'token_invalid'],
  [
    'a key URL in the header',
    attackerSigned({ kid: key.kid, jku: 'https://evil.test/jwks' }),
    'token_invalid',
  ],
  ['a certificate in the header', attackerSigned({ kid: key.kid, x5c: ['AAAA'] }), 'token_invalid'],
  ['an attacker under our kid', attackerSigned({ kid: key.kid }), 'token_invalid'],
  ['a kid that is a path', attackerSigned({ kid: '../../dev/null' }), 'token_invalid'],
  ['a kid that is SQL', attackerSigned({ kid: `' UNION SELECT 'key` }), 'token_invalid'],
  ['a kid that is an object', attackerSigned({ kid: { toString: 'x' } }), 'token_invalid'],
  ['a kid of half a kilobyte', attackerSigned({ kid: 'k'.repeat(513) }), 'token_invalid'],
  ['no kid', attackerSigned({}), 'token_invalid'],
  ['a critical extension', attackerSigned({ kid: key.kid, crit: ['b64'], b64: false }), 'token_invalid'],
  ['our issuer signed by another gateway', other.signJwt(typ, rightClaims), 'token_invalid'],
  [
    'a changed payload',
    right.replace(rightPayload, encode({ ...rightClaims, sub: 'root' })),
    'token_invalid',
  ],
  [
    'a changed signature',
    right.replace(rightSignature, Buffer.alloc(64, 1).toString('base64url')),
    'token_invalid',
  ],
  // Type
  ['no typ', attackerSigned({ typ: undefined, kid: key.kid }), 'token_invalid'],
  ['typ JWT', key.signJwt('JWT', rightClaims), 'token_invalid'],
  ['an access token of ours', key.signJwt('upstreamproxy-access+jwt', rightClaims), 'token_invalid'],
  // Claims
  ['another issuer', tokenWith({ iss: 'https://evil.test' }), 'token_invalid'],
  ['our issuer with a slash', tokenWith({ iss: `${issuer}/` }), 'token_invalid'],
  ['no issuer', tokenWith({ iss: undefined }), 'token_invalid'],
  ['an issuer that is a list', tokenWith({ iss: [issuer] }), 'token_invalid'],
  ['another audience', tokenWith({ aud: 'someone-else' }), 'token_invalid'],
  ['audiences without ours', tokenWith({ aud: ['a', 'b'] }), 'token_invalid'],
  ['no audience', tokenWith({ aud: undefined }), 'token_invalid'],
  ['no subject', tokenWith({ sub: undefined }), 'token_invalid'],
  ['an empty subject', tokenWith({ sub: '' }), 'token_invalid'],
  ['a subject that is a number', tokenWith({ sub: 1 }), 'token_invalid'],
  ['no jti', tokenWith({ jti: undefined }), 'token_invalid'],
  ['an empty jti', tokenWith({ jti: '' }), 'token_invalid'],
  ['a jti of half a kilobyte', tokenWith({ jti: 'j'.repeat(513) }), 'token_invalid'],
  ['no expiry', tokenWith({ exp: undefined }), 'token_invalid'],
  ['an expiry that is text', tokenWith({ exp: '9999999999' }), 'token_invalid'],
  ['an issue time that is text', tokenWith({ iat: 'now' }), 'token_invalid'],
  // Times
  ['an expired token', tokenWith({ exp: nowSeconds - 30 }), 'token_expired'],
  ['a token for later', tokenWith({ nbf: nowSeconds + 31 }), 'token_expired'],
  ['a token issued in the future', tokenWith({ iat: nowSeconds + 31, nbf: undefined }), 'token_expired'],
];

for (const [name, token, code] of refused) {
  test(`refused as ${code}: ${name}`, async () => {
    await assert.rejects(verify(token), (error: Error & { code?: string }) => {
      assert.equal(error.name, 'ProxyError');
      assert.equal(error.code, code, error.message);
      // No message may hold a part of the token, nor of its signature.
      for (const part of [...token.split('.'), rightSignature]) {
        if (part.length > 8) assert.equal(error.message.includes(part), false);
      }
      return true;
    });
  });
}

const accepted: readonly (readonly [name: string, token: string])[] = [
  ['an expiry that passed less than 30 s ago', tokenWith({ exp: nowSeconds - 29 })],
  ['a start that is at most 30 s away', tokenWith({ nbf: nowSeconds + 30, iat: nowSeconds + 30 })],
  ['several audiences with ours', tokenWith({ aud: ['other', audience] })],
  [
    'the same member in different objects',
    tokenWith({ a: { iss: 1 }, b: [{ iss: 2 }, { iss: 3 }], 'iss:': ':' }),
  ],
  ['values that look like members', tokenWith({ a: ['x', 'x'], b: 'x', c: '"x":', d: '{', e: ']' })],
];

for (const [name, token] of accepted) {
  test(`accepted: ${name}`, async () => {
    assert.equal((await verify(token)).subject, 'job-1');
  });
}

test('a token expires in the very second that its skew is used up', async () => {
  await verify(right, startMs + 629_999);
  await assert.rejects(verify(right, startMs + 630_000), { code: 'token_expired' });
});

/** The same signature bytes in another spelling: bits that base64 throws away. */
function strayBits(token: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = alphabet.indexOf(token.at(-1) ?? '');
  const changed = token.slice(0, -1) + alphabet[last ^ 1];
  const signatureOf = (text: string): Buffer => Buffer.from(text.split('.')[2] ?? '', 'base64url');
  assert.deepEqual(signatureOf(changed), signatureOf(token));
  return changed;
}
