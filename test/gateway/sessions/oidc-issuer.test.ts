import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import type { IssuerFetch } from '../../../src/gateway/sessions/oidc-fetch.ts';
import type { ClaimSelector } from '../../../src/policy/claim-selector.ts';
import { oidcIssuer } from '../../../src/gateway/sessions/oidc-issuer.ts';
import { verifySessionToken, type TokenIssuer } from '../../../src/gateway/sessions/session-token.ts';
import { audience, startMs } from '../session-fixture.ts';

const issuer = 'https://tokens.example.com';
const metadataUrl = `${issuer}/.well-known/openid-configuration`;
const keysUrl = `${issuer}/keys`;

interface IssuerKey {
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

async function newKey(kid: string, alg = 'RS256'): Promise<IssuerKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

const first = await newKey('first');
const second = await newKey('second');

async function sign({ privateKey, jwk }: IssuerKey, nowMs = startMs, header: object = {}): Promise<string> {
  const iat = nowMs / 1000;
  return new SignJWT({ repository: 'example/project' })
    .setProtectedHeader({ alg: jwk.alg ?? '', ...(jwk.kid === undefined ? {} : { kid: jwk.kid }), ...header })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject('repo:example/project')
    .setJti('jti-1')
    .setIssuedAt(iat)
    .setExpirationTime(iat + 600)
    .sign(privateKey);
}

/** An issuer on paper: what is at which URL, and how often it was asked. */
class Documents {
  readonly asked: string[] = [];
  keys: readonly JWK[] = [first.jwk];
  metadata: unknown = { issuer, jwks_uri: keysUrl };
  isDown = false;

  readonly fetch: IssuerFetch = async (url) => {
    this.asked.push(url);
    if (this.isDown) throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') });
    if (url === metadataUrl) return respond(200, this.metadata);
    if (url === keysUrl) return respond(200, { keys: this.keys });
    return respond(404, {});
  };
}

function respond(status: number, document: unknown): Awaited<ReturnType<IssuerFetch>> {
  return { status, body: new Blob([JSON.stringify(document)]).stream() };
}

function trustOf(documents: Documents, changes: Partial<Parameters<typeof oidcIssuer>[0]> = {}): TokenIssuer {
  return oidcIssuer({ issuer, algorithms: ['RS256', 'ES256'], fetch: documents.fetch, ...changes });
}
const verify = (token: string, trust: TokenIssuer, nowMs = startMs) =>
  verifySessionToken(token, { trust: [trust], audience, nowMs });

test('a token of the issuer is verified with the key that its metadata leads to, fetched once', async () => {
  const documents = new Documents();
  const trust = trustOf(documents);
  const [one] = await Promise.all(
    [sign(first), sign(first)].map(async (token) => verify(await token, trust)),
  );
  assert.equal(one?.subject, 'repo:example/project');
  assert.equal(one?.claims['repository'], 'example/project');
  assert.deepEqual(documents.asked, [metadataUrl, keysUrl]);
});

test('a token without the claims that the configuration asks for starts no session, whoever signed it', async () => {
  const of = (selector: Parameters<typeof oidcIssuer>[0]['for']) =>
    trustOf(new Documents(), selector === undefined ? {} : { for: selector });
  const token = await sign(first);
  assert.equal((await verify(token, of({ repository: 'example/*' }))).subject, 'repo:example/project');
  const others: readonly ClaimSelector[] = [
    { repository: 'other/*' },
    { repository: 'example/*', ref: 'refs/heads/main' },
  ];
  for (const selector of others)
    await assert.rejects(verify(token, of(selector)), {
      code: 'token_invalid',
      message: 'The session token is not acceptable: its claims are not those of a session here.',
    });
  // What is wrong with the token itself is said first.
  await assert.rejects(
    verify(await sign(second), of({ repository: 'other/*' })),
    /does not verify|not publish/,
  );
});

test('with a configured key URL the metadata is not asked', async () => {
  const documents = new Documents();
  await verify(await sign(first), trustOf(documents, { jwksUrl: keysUrl }));
  assert.deepEqual(documents.asked, [keysUrl]);
});

test('a typ of JWT or none is taken, our own types and others are not', async () => {
  const trust = trustOf(new Documents());
  await verify(await sign(first, startMs, { typ: 'JWT' }), trust);
  for (const typ of ['upstreamproxy-session+jwt', 'upstreamproxy-access+jwt', 'dpop+jwt', 'at+jwt']) {
    await assert.rejects(verify(await sign(first, startMs, { typ }), trust), { code: 'token_invalid' });
  }
});

test('a rotated key is found at once, but the issuer is not asked again and again for unknown ones', async () => {
  const documents = new Documents();
  const trust = trustOf(documents, { jwksUrl: keysUrl });
  await verify(await sign(first), trust);
  documents.keys = [first.jwk, second.jwk];
  const later = startMs + 30_000;
  await assert.rejects(verify(await sign(second), trust), { code: 'token_invalid' });
  await verify(await sign(second, later), trust, later);
  assert.equal(documents.asked.length, 2);
  const unknown = await newKey('unknown');
  for (let i = 0; i < 5; i += 1) {
    await assert.rejects(verify(await sign(unknown, later), trust, later), { code: 'token_invalid' });
  }
  assert.equal(documents.asked.length, 2);
});

test('a withdrawn key is not taken for longer than ten minutes', async () => {
  const documents = new Documents();
  const trust = trustOf(documents, { jwksUrl: keysUrl });
  await verify(await sign(first), trust);
  documents.keys = [second.jwk];
  const later = startMs + 600_000;
  await assert.rejects(verify(await sign(first, later), trust, later), { code: 'token_invalid' });
});

test('while the issuer is down its last keys serve for an hour, then its tokens are refused', async () => {
  const documents = new Documents();
  const trust = trustOf(documents, { jwksUrl: keysUrl });
  await verify(await sign(first), trust);
  documents.isDown = true;
  const within = startMs + 59 * 60_000;
  await verify(await sign(first, within), trust, within);
  const beyond = startMs + 61 * 60_000;
  await assert.rejects(verify(await sign(first, beyond), trust, beyond), {
    code: 'issuer_unavailable',
    message: /ECONNREFUSED/,
  });
  documents.isDown = false;
  const again = beyond + 5_000;
  await verify(await sign(first, again), trust, again);
});

test('an issuer that is down is not asked for each token', async () => {
  const documents = new Documents();
  documents.isDown = true;
  const trust = trustOf(documents);
  const token = await sign(first);
  for (let i = 0; i < 5; i += 1) await assert.rejects(verify(token, trust), { code: 'issuer_unavailable' });
  assert.equal(documents.asked.length, 1);
});

const brokenMetadata: readonly (readonly [name: string, metadata: unknown])[] = [
  ['of another issuer', { issuer: 'https://evil.test', jwks_uri: keysUrl }],
  ['without a key URL', { issuer }],
  ['with a plain key URL', { issuer, jwks_uri: keysUrl.replace('https', 'http') }],
  ['with a file as its key URL', { issuer, jwks_uri: 'file:///etc/passwd' }],
  ['that is null', null],
];
for (const [name, metadata] of brokenMetadata) {
  test(`metadata ${name} is refused`, async () => {
    const documents = new Documents();
    documents.metadata = metadata;
    await assert.rejects(verify(await sign(first), trustOf(documents)), { code: 'issuer_unavailable' });
  });
}

test('a key set that is too large or no key set is refused', async () => {
  const documents = new Documents();
  documents.keys = Array.from({ length: 101 }, () => first.jwk);
  await assert.rejects(verify(await sign(first), trustOf(documents)), { code: 'issuer_unavailable' });
  const wrong: IssuerFetch = async () => respond(200, { keys: 'none' });
  const trust = oidcIssuer({ issuer, algorithms: ['RS256'], fetch: wrong, jwksUrl: keysUrl });
  await assert.rejects(verify(await sign(first), trust), { code: 'issuer_unavailable' });
});

test('an algorithm beyond the list, and every symmetric one, is refused before the keys are asked for', async () => {
  const documents = new Documents();
  await assert.rejects(verify(await sign(first), trustOf(documents, { algorithms: ['ES256'] })), {
    code: 'token_invalid',
  });
  const secret: JWK = {
    kty: 'oct',
    k: Buffer.from('secret of thirty-two characters!').toString('base64url'),
    kid: 'oct',
    alg: 'HS256',
  };
  documents.keys = [secret];
  const token = await new SignJWT({})
    .setProtectedHeader({ alg: 'HS256', kid: 'oct' })
    .setIssuer(issuer)
    .sign(Buffer.from('secret of thirty-two characters!'));
  await assert.rejects(verify(token, trustOf(documents, { algorithms: ['HS256', 'none', 'RS256'] })), {
    code: 'token_invalid',
  });
  assert.deepEqual(documents.asked, []);
});

test('a token without kid is verified if the set has one fitting key, and refused if it is ambiguous', async () => {
  const documents = new Documents();
  const unnamed = { privateKey: first.privateKey, jwk: { alg: 'RS256' } };
  await verify(await sign(unnamed), trustOf(documents));
  documents.keys = [first.jwk, second.jwk];
  await assert.rejects(verify(await sign(unnamed), trustOf(documents)), { code: 'token_invalid' });
});

test('an issuer with an audience of its own does not take the one of the gateway', async () => {
  const { fetch } = new Documents();
  const trust = oidcIssuer({ issuer, audience: 'other', algorithms: ['RS256'], fetch });
  await assert.rejects(verify(await sign(first), trust), { code: 'token_invalid', message: /"aud"/ });
});
