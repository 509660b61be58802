import assert from 'node:assert/strict';
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { after, before, test } from 'node:test';
import { calculateJwkThumbprint, CompactSign } from 'jose';
import { openStore } from '../../../src/store/open-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import {
  verifyProof,
  type ProofInput,
  type VerifiedProof,
} from '../../../src/gateway/sessions/dpop-proof.ts';
import { createAgentKey, encode, enrolUrl, proofOf, startMs, type ProofOptions } from '../session-fixture.ts';

let store: Store;
before(async () => {
  store = await openStore('sqlite::memory:');
});
after(() => store.close());

const key = createAgentKey();
const verify = (
  proof: string,
  changes: Partial<ProofInput> = {},
  limits = defaultLimits,
): Promise<VerifiedProof> =>
  verifyProof(
    { proof, method: 'POST', url: enrolUrl, nowMs: startMs, ...changes },
    { proofs: store.proofs, limits },
  );
const invalid = (message?: RegExp) => ({
  name: 'ProxyError',
  code: 'proof_invalid',
  ...(message && { message }),
});

test('a right proof gives the thumbprint of its key', async () => {
  const { thumbprint, jwk } = await verify(proofOf(key));
  assert.equal(thumbprint, await calculateJwkThumbprint(key.jwk));
  assert.deepEqual(jwk, key.jwk);
});

test('Ed25519 by its own algorithm name, and P-256 with ES256, are taken', async () => {
  await verify(proofOf(key, { header: { alg: 'Ed25519' } }));
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = publicKey.export({ format: 'jwk' });
  const claims = { htm: 'POST', htu: enrolUrl, iat: startMs / 1000, jti: randomUUID() };
  const proof = await new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk })
    .sign(privateKey);
  assert.equal((await verify(proof)).jwk.kty, 'EC');
});

test('a proof counts once', async () => {
  const proof = proofOf(key);
  await verify(proof);
  await assert.rejects(verify(proof), invalid(/used before/));
});

test('a proof that is refused for its request takes no room and can still be used rightly', async () => {
  const proof = proofOf(key);
  await assert.rejects(verify(proof, { method: 'DELETE' }), invalid(/another method/));
  await verify(proof);
});

test('the URL is compared after normalisation, without query and fragment', async () => {
  const same = [
    'https://GATEWAY.test:8443/v1/code/upstreamproxy/session',
    `${enrolUrl}?a=b`,
    `${enrolUrl}#x`,
  ];
  for (const url of same) await verify(proofOf(key, { url }));
  await verify(proofOf(key, { url: 'https://gateway.test/x' }), { url: 'https://gateway.test:443/x?query' });
  const different = [
    `${enrolUrl}/`,
    `${enrolUrl}/commit`,
    enrolUrl.replace('https', 'http'),
    enrolUrl.replace('8443', '443'),
    enrolUrl.replace('gateway', 'evil'),
    enrolUrl.replace('https://', 'https://user@'),
    enrolUrl.replace('session', 'Session'),
    '/v1/code/upstreamproxy/session',
    '',
  ];
  for (const url of different)
    await assert.rejects(verify(proofOf(key, { url })), invalid(/another URL/), url);
  await assert.rejects(verify(proofOf(key, { url: 'x' }), { url: 'x' }), invalid(/another URL/));
});

test('a proof is fresh for one minute to either side, to the second', async () => {
  for (const ageMs of [60_000, -60_000]) await verify(proofOf(key, { nowMs: startMs - ageMs }));
  await assert.rejects(
    verify(proofOf(key, { nowMs: startMs - 61_000 })),
    invalid(/61 s in the past.*clocks/),
  );
  await assert.rejects(verify(proofOf(key, { nowMs: startMs + 61_000 })), invalid(/61 s in the future/));
});

test('a proof from the future is remembered for as long as it would be fresh', async () => {
  const proof = proofOf(key, { nowMs: startMs + 60_000 });
  await verify(proof);
  await assert.rejects(verify(proof, { nowMs: startMs + 120_000 }), invalid(/used before/));
  await assert.rejects(verify(proof, { nowMs: startMs + 120_001 }), invalid(/in the past/));
});

test('a proof is bound to the access token of its request', async () => {
  await verify(proofOf(key, { accessToken: 'token-a' }), { accessToken: 'token-a' });
  await assert.rejects(
    verify(proofOf(key, { accessToken: 'token-a' }), { accessToken: 'token-b' }),
    invalid(),
  );
  await assert.rejects(verify(proofOf(key), { accessToken: 'token-a' }), invalid(/another access token/));
  await assert.rejects(verify(proofOf(key, { accessToken: 'token-a' })), invalid(/for an access token/));
});

test('only the expected key will do', async () => {
  const expectedThumbprint = await calculateJwkThumbprint(key.jwk);
  await verify(proofOf(key), { expectedThumbprint });
  await assert.rejects(verify(proofOf(createAgentKey()), { expectedThumbprint }), invalid(/another key/));
});

const { d = '' } = key.privateKey.export({ format: 'jwk' });
const smallOrder = Buffer.alloc(32).toString('base64url');
const refused: readonly (readonly [name: string, options: ProofOptions])[] = [
  ['typ JWT', { header: { typ: 'JWT' } }],
  ['no typ', { header: { typ: undefined } }],
  ['typ with a media type prefix', { header: { typ: 'application/dpop+jwt' } }],
  ['alg none', { header: { alg: 'none' } }],
  ['alg HS256', { header: { alg: 'HS256' } }],
  ['an alg that is not of the key', { header: { alg: 'ES256' } }],
  ['no key', { header: { jwk: undefined } }],
  ['a private key', { header: { jwk: { ...key.jwk, d } } }],
  ['a key with a member too many', { header: { jwk: { ...key.jwk, kid: 'x' } } }],
  ['a symmetric key', { header: { jwk: { kty: 'oct', k: 'AAAA' } } }],
  ['an RSA key', { header: { jwk: { kty: 'RSA', n: 'AQAB', e: 'AQAB' } } }],
  ['an X25519 key', { header: { jwk: { ...key.jwk, crv: 'X25519' } } }],
  ['a short key', { header: { jwk: { ...key.jwk, x: 'AAAA' } } }],
  ['the key of somebody else', { header: { jwk: createAgentKey().jwk } }],
  ['a key of small order', { header: { jwk: { ...key.jwk, x: smallOrder } } }],
  ['a critical extension', { header: { crit: ['b64'], b64: false } }],
  ['no method', { claims: { htm: undefined } }],
  ['a method in lower case', { claims: { htm: 'post' } }],
  ['no URL', { claims: { htu: undefined } }],
  ['a URL that is a list', { claims: { htu: [enrolUrl] } }],
  ['no time', { claims: { iat: undefined } }],
  ['a time that is text', { claims: { iat: String(startMs / 1000) } }],
  ['a time that is negative', { claims: { iat: -1 } }],
  ['no jti', { claims: { jti: undefined } }],
  ['an empty jti', { claims: { jti: '' } }],
  ['a jti of more than 256 characters', { claims: { jti: 'j'.repeat(257) } }],
  ['an expiry that has passed', { claims: { exp: startMs / 1000 - 1 } }],
  ['an oversized proof', { claims: { padding: 'x'.repeat(9000) } }],
];
for (const [name, options] of refused) {
  test(`refused: ${name}`, async () => {
    await assert.rejects(verify(proofOf(key, options)), invalid());
  });
}

test('refused: forms that are not one compact JWS', async () => {
  const proof = proofOf(key);
  const { jwk } = key;
  const duplicate = Buffer.from(`{"typ":"dpop+jwt","alg":"none","alg":"EdDSA","jwk":${JSON.stringify(jwk)}}`);
  const input = `${duplicate.toString('base64url')}.${proof.split('.')[1]}`;
  const twice = `${input}.${sign(null, Buffer.from(input), key.privateKey).toString('base64url')}`;
  for (const text of [
    '',
    'x',
    `${proof}, ${proof}`,
    `${proof}\n`,
    `${proof}.x`,
    twice,
    `${encode({})}.${encode({})}.`,
  ]) {
    await assert.rejects(verify(text), invalid(/malformed/));
  }
});

test('a key that signs without end is stopped before it fills the store, others are not', async () => {
  const limits = { ...defaultLimits, proofsPerKeyMax: 2 };
  const greedy = createAgentKey();
  await verify(proofOf(greedy), {}, limits);
  await verify(proofOf(greedy), {}, limits);
  await assert.rejects(verify(proofOf(greedy), {}, limits), {
    code: 'limit_exceeded',
    message: /proofsPerKeyMax 2/,
  });
  await verify(proofOf(createAgentKey()), {}, limits);
});
