import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { test } from 'node:test';
import { SessionKey } from '../../../src/agent/uplink/session-key.ts';

const decode = (part: string | undefined): Record<string, unknown> =>
  JSON.parse(Buffer.from(part ?? '', 'base64url').toString()) as Record<string, unknown>;

test('a proof is a dpop+jwt for one request, signed by the key that it carries', async () => {
  const key = await SessionKey.generate(() => 1_767_225_600_999);
  const proof = await key.proof({ method: 'POST', url: 'https://gateway.test/x', accessToken: 'access' });
  const [header, claims, signature] = proof.split('.');
  assert.deepEqual(decode(header), { typ: 'dpop+jwt', alg: 'EdDSA', jwk: key.publicJwk });
  const { jti, ...rest } = decode(claims);
  assert.equal(typeof jti, 'string');
  assert.deepEqual(rest, {
    htm: 'POST',
    htu: 'https://gateway.test/x',
    iat: 1_767_225_600,
    ath: createHash('sha256').update('access').digest('base64url'),
  });
  const { kty, crv, x } = key.publicJwk;
  const publicKey = createPublicKey({ key: { kty, crv, x }, format: 'jwk' });
  assert.ok(
    verify(null, Buffer.from(`${header}.${claims}`), publicKey, Buffer.from(signature ?? '', 'base64url')),
  );
});

test('no two proofs share an identifier, and one without an access token has no ath', async () => {
  const key = await SessionKey.generate();
  const target = { method: 'GET', url: 'https://gateway.test/x' };
  const claims = [await key.proof(target), await key.proof(target)].map((proof) =>
    decode(proof.split('.')[1]),
  );
  assert.notEqual(claims[0]?.['jti'], claims[1]?.['jti']);
  assert.equal('ath' in (claims[0] ?? {}), false);
});

test('the public half names nothing private', async () => {
  const key = await SessionKey.generate();
  assert.deepEqual(Object.keys(key.publicJwk), ['kty', 'crv', 'x']);
});
