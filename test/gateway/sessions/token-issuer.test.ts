import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { createSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { issueSessionToken, sessionTokenType } from '../../../src/gateway/sessions/token-issuer.ts';
import { startMs } from '../session-fixture.ts';

const key = createSigningKey();
const right = {
  key,
  issuer: 'https://gateway.test',
  audience: 'upstreamproxy',
  subject: 'job-1',
  ttlSeconds: 600,
  nowMs: startMs,
};

test('a token has the type, the key id and every claim that verification asks for', () => {
  const token = issueSessionToken({ ...right, claims: { team: 'build' } });
  assert.deepEqual(decodeProtectedHeader(token), { alg: 'EdDSA', typ: sessionTokenType, kid: key.kid });
  const { jti, ...claims } = decodeJwt(token);
  assert.match(jti ?? '', /^[0-9a-f-]{36}$/);
  const iat = startMs / 1000;
  assert.deepEqual(claims, {
    team: 'build',
    iss: right.issuer,
    aud: right.audience,
    sub: 'job-1',
    iat,
    nbf: iat,
    exp: iat + 600,
  });
});

test('another implementation of JWS verifies the signature', async () => {
  const { payload } = await jwtVerify(issueSessionToken(right), key.publicKey, {
    algorithms: ['EdDSA'],
    typ: sessionTokenType,
    currentDate: new Date(startMs),
  });
  assert.equal(payload.sub, 'job-1');
});

test('no two tokens have the same jti', () => {
  assert.notEqual(decodeJwt(issueSessionToken(right)).jti, decodeJwt(issueSessionToken(right)).jti);
});

test('claims of the caller never replace those of the issuer', () => {
  for (const name of ['iss', 'aud', 'sub', 'jti', 'iat', 'nbf', 'exp']) {
    assert.throws(() => issueSessionToken({ ...right, claims: { [name]: 'x' } }), {
      code: 'usage',
      message: new RegExp(`"${name}"`),
    });
  }
});

test('a lifetime that is not positive and an empty subject are refused', () => {
  for (const ttlSeconds of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => issueSessionToken({ ...right, ttlSeconds }), { code: 'usage' });
  }
  assert.throws(() => issueSessionToken({ ...right, subject: '' }), { code: 'usage' });
});
