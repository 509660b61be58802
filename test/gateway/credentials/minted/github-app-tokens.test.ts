import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { inspect } from 'node:util';

import { BackgroundRenewals } from '../../../../src/gateway/credentials/sources/background-renewals.ts';
import type { CredentialConfig } from '../../../../src/gateway/credentials/credential-kinds.ts';
import { GithubAppTokens } from '../../../../src/gateway/credentials/minted/github-app-tokens.ts';
import type { GithubAppTokensOptions } from '../../../../src/gateway/credentials/minted/github-app-tokens.ts';
import { ProxyError } from '../../../../src/protocol/error.ts';
import { MintedValue } from '../../../../src/gateway/credentials/minted/minted-value.ts';
import { TokenService } from '../../../../src/gateway/credentials/minted/token-service.ts';
import { Secret } from '../../../../src/protocol/secret.ts';
import { findCanary } from '../../../support/canary.ts';
import { openTestServices } from '../../support/service-fetch.ts';
import { authority, openCredentialScene } from '../support/credential-scene.ts';
import { openGithubApi } from '../support/github-api.ts';
import type { GithubApi } from '../support/github-api.ts';

const background = (): BackgroundRenewals => new BackgroundRenewals({ credentialUnusedMs: 3_600_000 });

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
/** As GitHub hands it out. */
const pkcs1 = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
/** A line from the middle of the key. */
const keyLine = pkcs1.split('\n')[8] ?? '';
const app = { appId: '12345', installationId: '678' } as const;

const config = (api: GithubApi): CredentialConfig & { kind: 'github-app' } => ({
  kind: 'github-app',
  ...app,
  apiUrl: api.url,
  as: 'bearer',
  source: { env: 'APP_KEY' },
});

test('an installation token is fetched once for many requests, goes as a bearer, and comes back in nothing', async () => {
  await using api = await openGithubApi({ ...app, publicKey, clock: Date.now });
  await using scene = await openCredentialScene({
    credential: { ...config(api), permissions: { contents: 'read' }, repositories: ['one'] },
    environment: { APP_KEY: pkcs1 },
  });
  await Promise.all([1, 2, 3].map(() => scene.get('/in/a', 'Authorization: Bearer own')));
  await scene.get2('/in/a', { authorization: 'Bearer own' });
  const [token = ''] = api.tokens;
  assert.equal(api.calls.length, 1);
  assert.deepEqual(api.grant(token), { permissions: { contents: 'read' }, repositories: ['one'] });
  for (const { headers } of scene.seen) assert.equal(headers.authorization, `Bearer ${token}`);
  scene.assertKept(token);
  assert.deepEqual(findCanary(JSON.stringify(scene.seen) + scene.received(), keyLine), []);
  assert.deepEqual(findCanary(inspect(scene.path.parts, { depth: 12 }), keyLine), []);
});

test('for git it goes as Basic with the user x-access-token', async () => {
  await using api = await openGithubApi({ ...app, publicKey, clock: Date.now });
  await using scene = await openCredentialScene({
    credential: { ...config(api), as: 'basic' },
    environment: { APP_KEY: pkcs8 },
  });
  await scene.get('/in/a');
  const [token = ''] = api.tokens;
  const pair = Buffer.from(`x-access-token:${token}`).toString('base64');
  assert.equal(scene.seen[0]?.headers.authorization, `Basic ${pair}`);
  scene.assertKept(token);
});

async function openTokens(
  api: GithubApi,
  change: Partial<GithubAppTokensOptions> = {},
): Promise<{ readonly tokens: MintedValue<Secret<string>> } & AsyncDisposable> {
  const services = openTestServices([authority.caPem]);
  const context = { environment: {}, fetch: services.fetch };
  const app1 = new GithubAppTokens({
    service: new TokenService({ name: 'it', context }),
    ...app,
    apiUrl: `${api.url}/`,
    privateKey: { read: () => Promise.resolve(new Secret(pkcs1)) },
    ...change,
  });
  const tokens = new MintedValue((nowMs) => app1.mint(nowMs), {
    background: background(),
    random: () => 0.5,
  });
  return { tokens, [Symbol.asyncDispose]: () => services[Symbol.asyncDispose]() };
}

test('a token is renewed long before its end, and each statement is one that GitHub takes at that time', async () => {
  let nowMs = Date.now();
  await using api = await openGithubApi({ ...app, publicKey, clock: () => nowMs });
  await using opened = await openTokens(api);
  const read = async (): Promise<string> => (await opened.tokens.read(nowMs)).reveal();
  const first = await read();
  nowMs += 41 * 60_000;
  assert.equal(await read(), first);
  nowMs += 2 * 60_000;
  const second = await read();
  assert.notEqual(second, first);
  nowMs += 5 * 3_600_000;
  assert.notEqual(await read(), second);
  assert.equal(api.grant(second), undefined);
  assert.equal(api.calls.length, 3);
});

test("a clock that is a little ahead of GitHub's or behind it is no fault", async () => {
  for (const skewMs of [-50_000, 50_000]) {
    await using api = await openGithubApi({ ...app, publicKey, clock: Date.now, skewMs });
    await using opened = await openTokens(api);
    assert.match((await opened.tokens.read(Date.now())).reveal(), /^ghs_/);
  }
});

test('401 from the origin brings a new token, once in half a minute', async () => {
  await using api = await openGithubApi({ ...app, publicKey, clock: Date.now });
  await using scene = await openCredentialScene({
    credential: config(api),
    environment: { APP_KEY: pkcs1 },
    status: ({ target }) => (target === '/in/no' ? 401 : 200),
  });
  for (const target of ['/in/a', '/in/no', '/in/a', '/in/no', '/in/a']) await scene.get(target);
  assert.equal(api.calls.length, 2);
  const used = scene.seen.map(({ headers }) => headers.authorization?.slice('Bearer '.length));
  const [first, second] = api.tokens;
  assert.deepEqual(used, [first, first, second, second, second]);
});

test('a refusal is told in words of the API, and the key is in no part of it', async () => {
  await using api = await openGithubApi({ ...app, publicKey, clock: Date.now });
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const pemOf = (pem: string) => ({ read: () => Promise.resolve(new Secret(pem)) });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const rows: readonly (readonly [Partial<GithubAppTokensOptions>, RegExp])[] = [
    [
      { privateKey: pemOf(other.export({ type: 'pkcs1', format: 'pem' }).toString()) },
      /status 401, A JSON web token could not be decoded/,
    ],
    [{ appId: '99' }, /status 401, Integration not found/],
    [{ installationId: '99' }, /status 404, Not Found/],
    [{ privateKey: pemOf(`${keyLine} is no key`) }, /no private key as PEM/],
    [{ privateKey: pemOf(ec.export({ type: 'pkcs8', format: 'pem' }).toString()) }, /is not RSA/],
    [{ apiUrl: api.url.replace('https:', 'http:').replace('localhost', 'api.test') }, /cannot be reached/],
  ];
  for (const [change, message] of rows) {
    await using opened = await openTokens(api, change);
    const error: unknown = await opened.tokens.read(Date.now()).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof ProxyError && error.code === 'credential_unavailable');
    assert.match(error.message, message);
    assert.deepEqual(findCanary(inspect(error, { depth: 9 }), keyLine), []);
  }
});

test('a token for more than the configuration asks for is not used', async () => {
  const asked = { permissions: { contents: 'read' }, repositories: ['one'] };
  const rows = [
    [{ permissions: { contents: 'write' } }, /gave a token for more than was asked for: contents$/],
    [{ permissions: { secrets: 'read' } }, /for more than was asked for: secrets$/],
    [{ permissions: { 'it is no name': 'read' } }, /for more than was asked for: another permission$/],
    [{ selection: 'all' }, /for more than was asked for: all repositories$/],
  ] as const;
  for (const [gives, message] of rows) {
    await using api = await openGithubApi({ ...app, publicKey, clock: Date.now, gives });
    await using opened = await openTokens(api, asked);
    await assert.rejects(opened.tokens.read(Date.now()), message);
  }
  await using api = await openGithubApi({ ...app, publicKey, clock: Date.now });
  await using opened = await openTokens(api, asked);
  assert.match((await opened.tokens.read(Date.now())).reveal(), /^ghs_/);
});

test('a clock that is so wrong that GitHub takes no statement is told with the refusal', async () => {
  await using api = await openGithubApi({ ...app, publicKey, clock: Date.now, skewMs: -600_000 });
  await using opened = await openTokens(api);
  await assert.rejects(
    opened.tokens.read(Date.now()),
    /status 401, .*its clock is (?:5[5-9]\d|60[01]) s behind the gateway's/,
  );
});
