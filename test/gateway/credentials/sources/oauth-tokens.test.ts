import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { inspect } from 'node:util';

import { BackgroundRenewals } from '../../../../src/gateway/credentials/sources/background-renewals.ts';
import { CredentialSet } from '../../../../src/gateway/credentials/credential-set.ts';
import { OAuthTokens } from '../../../../src/gateway/credentials/sources/oauth-tokens.ts';
import type { ServiceResponse } from '../../../../src/gateway/forward/service-fetch.ts';
import { HeaderList } from '../../../../src/http/header-list.ts';
import { ProxyError } from '../../../../src/protocol/error.ts';
import { Secret } from '../../../../src/protocol/secret.ts';
import { canary, findCanary } from '../../../support/canary.ts';
import { Provider } from '../../../support/oidc-provider.ts';
import { openTestServices } from '../../support/service-fetch.ts';
import { authority, openCredentialScene } from '../support/credential-scene.ts';

const background = (): BackgroundRenewals => new BackgroundRenewals({ credentialUnusedMs: 3_600_000 });

const clientSecret = `${canary('client')}+/&:`;
const sourceOf = (value: string) => ({ read: () => Promise.resolve(new Secret(value)) });

interface Issuer extends AsyncDisposable {
  readonly provider: InstanceType<typeof Provider>;
  readonly tokenUrl: string;
  readonly requests: () => number;
}

/** The provider package behind TLS, with one client of both grants. */
async function openIssuer(): Promise<Issuer> {
  const server = createServer({ ...authority.issue('localhost') });
  server.listen(0, 'localhost');
  await once(server, 'listening');
  // Listening on a port, not on a path.
  const { port } = server.address() as AddressInfo;
  const provider = new Provider(`https://localhost:${port}`, {
    clients: [
      {
        client_id: 'workload',
        client_secret: clientSecret,
        grant_types: ['client_credentials', 'refresh_token', 'authorization_code'],
        redirect_uris: ['https://localhost/none'],
        scope: 'openid offline_access',
      },
    ],
    features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
    findAccount: (_context: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
    rotateRefreshToken: true,
    cookies: { keys: ['of-a-test'] },
    jwks: undefined,
  });
  let requests = 0;
  const respond = provider.callback();
  server.on('request', (request, response) => {
    requests += 1;
    respond(request, response);
  });
  return {
    provider,
    tokenUrl: `https://localhost:${port}/token`,
    requests: () => requests,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await Promise.resolve();
    },
  };
}

const tokenOf = (authorization: string | undefined): string => authorization?.replace(/^Bearer /, '') ?? '';

test('client credentials: the origin gets a token that the issuer knows, fetched once, and it comes back in nothing', async () => {
  await using issuer = await openIssuer();
  await using scene = await openCredentialScene({
    credential: {
      kind: 'oauth',
      tokenUrl: issuer.tokenUrl,
      clientId: 'workload',
      source: { env: 'CLIENT_SECRET' },
    },
    environment: { CLIENT_SECRET: clientSecret },
  });
  await Promise.all([1, 2, 3].map(() => scene.get('/in/a', 'Authorization: Bearer own')));
  assert.equal(issuer.requests(), 1);
  const token = tokenOf(scene.seen[0]?.headers.authorization);
  const known = await issuer.provider.ClientCredentials.find(token);
  assert.equal(known?.clientId, 'workload');
  assert.equal(known.isValid, true);
  scene.assertKept(token);
  assert.deepEqual(findCanary(JSON.stringify(scene.seen) + scene.received(), clientSecret), []);
});

test('401 from the origin brings a new token for the requests behind it', async () => {
  await using issuer = await openIssuer();
  await using scene = await openCredentialScene({
    credential: { kind: 'oauth', tokenUrl: issuer.tokenUrl, clientId: 'workload', source: { env: 'S' } },
    environment: { S: clientSecret },
    status: ({ target }) => (target === '/in/no' ? 401 : 200),
  });
  await scene.get('/in/no');
  const used = (): ReadonlySet<string> =>
    new Set(scene.seen.map(({ headers }) => tokenOf(headers.authorization)));
  // A request takes the token of before where the issuer is slow.
  while (used().size === 1) await scene.get('/in/a');
  assert.equal(issuer.requests(), 2);
  for (const token of used()) scene.assertKept(token);
});

test('a wrong client secret is told to the operator as the issuer told it, and the secret is in no part of the error', async () => {
  await using issuer = await openIssuer();
  const wrong = canary('wrong');
  await using scene = await openCredentialScene({
    credential: { kind: 'oauth', tokenUrl: issuer.tokenUrl, clientId: 'workload', source: { env: 'S' } },
    environment: { S: wrong },
  });
  const response = await scene.get('/in/a');
  assert.equal(response.headers.get('x-deny-reason'), 'credential_unavailable');
  assert.doesNotMatch(
    response.body,
    /localhost|\b401\b|invalid_client/,
    'the issuer is the business of the operator',
  );
  const [event] = await scene.path.events(1);
  assert.match(JSON.stringify(event?.details), /status 401, invalid_client/);
  assert.equal(scene.seen.length, 0);
  assert.deepEqual(findCanary(scene.received() + JSON.stringify(scene.path.audit), wrong), []);
});

test('an issuer that the trust does not vouch for is refused', async () => {
  await using issuer = await openIssuer();
  const config = {
    kind: 'oauth',
    tokenUrl: issuer.tokenUrl,
    clientId: 'workload',
    source: { env: 'S' },
  } as const;
  await using services = openTestServices([]);
  await using set = new CredentialSet({ it: config }, { S: clientSecret }, services.fetch);
  const destination = { scheme: 'https', host: 'origin.test', port: 443 } as const;
  const head = {
    method: 'GET',
    destination,
    path: '/',
    query: '',
    headers: new HeaderList(),
    httpVersion: '1.1',
  } as const;
  const error: unknown = await set
    .inject(head, [{ credential: 'it' }], { nowMs: 0 })
    .catch((thrown: unknown) => thrown);
  assert.ok(error instanceof ProxyError && error.code === 'credential_unavailable');
  assert.equal(issuer.requests(), 0);
  assert.deepEqual(findCanary(inspect(error, { depth: 9 }), clientSecret), []);
});

test('refresh token: each renewal uses the one that the issuer gave last', async () => {
  await using issuer = await openIssuer();
  const { provider } = issuer;
  const grant = new provider.Grant({ accountId: 'someone', clientId: 'workload' });
  grant.addOIDCScope('openid offline_access');
  const grantId = await grant.save();
  const first = await new provider.RefreshToken({
    client: await provider.Client.find('workload'),
    accountId: 'someone',
    grantId,
    gty: 'authorization_code',
    scope: 'openid offline_access',
    authTime: Math.floor(Date.now() / 1000),
  }).save();
  await using issuers = openTestServices([authority.caPem]);
  const tokens = new OAuthTokens({
    background: background(),
    name: 'it',
    tokenUrl: issuer.tokenUrl,
    clientId: 'workload',
    clientSecret: sourceOf(clientSecret),
    refreshToken: sourceOf(first),
    fetch: issuers.fetch,
  });
  const seen: string[] = [];
  // Each time the token of before has ended.
  for (const atMs of [0, 1e9, 2e9]) seen.push((await tokens.read(atMs)).reveal());
  assert.equal(new Set(seen).size, 3);
  for (const token of seen) assert.equal((await provider.AccessToken.find(token))?.clientId, 'workload');
  assert.equal(issuer.requests(), 3);
});

interface Script {
  readonly tokens: OAuthTokens;
  readonly asked: string[];
}

function scripted(responses: readonly (ServiceResponse | Error)[]): Script {
  const asked: string[] = [];
  const tokens = new OAuthTokens({
    background: background(),
    name: 'it',
    tokenUrl: 'https://issuer.test/token',
    clientId: 'workload',
    clientSecret: sourceOf('s3cret'),
    fetch: (_url, { body }) => {
      const response = responses[asked.length];
      asked.push(String(body ?? ''));
      return response instanceof Error || response === undefined
        ? Promise.reject(response)
        : Promise.resolve(response);
    },
  });
  return { tokens, asked };
}

const responseOf = (token: string, seconds?: number): ServiceResponse => ({
  status: 200,
  text: JSON.stringify({ access_token: token, token_type: 'bearer', expires_in: seconds }),
});

test('a token is renewed before its end, and outlives an issuer that fails meanwhile', async () => {
  const { tokens, asked } = scripted([responseOf('one', 600), new Error('down'), responseOf('two', 600)]);
  const at = async (seconds: number): Promise<string> => (await tokens.read(seconds * 1000)).reveal();
  assert.equal(await at(0), 'one');
  assert.equal(await at(539), 'one');
  assert.equal(asked.length, 1);
  assert.equal(await at(541), 'one');
  assert.equal(asked.length, 2);
  // Within the second after a failure the issuer is left alone.
  assert.equal(await at(541.5), 'one');
  assert.equal(asked.length, 2);
  assert.equal(await at(550), 'two');
});

test('of a flood of 401 one brings a new token in half a minute, and one for a token of before none', async () => {
  const { tokens, asked } = scripted(['one', 'two', 'three'].map((token) => responseOf(token, 600)));
  const first = await tokens.read(0);
  tokens.reject(first, 1_000);
  const second = await tokens.read(1_000);
  assert.equal(second.reveal(), 'two');
  for (let atMs = 1_000; atMs < 31_000; atMs += 1_000) {
    tokens.reject(first, atMs);
    tokens.reject(second, atMs);
    assert.equal((await tokens.read(atMs)).reveal(), 'two');
  }
  assert.equal(asked.length, 2);
  tokens.reject(first, 31_000);
  assert.equal((await tokens.read(31_000)).reveal(), 'two');
  tokens.reject(second, 31_000);
  assert.equal((await tokens.read(31_000)).reveal(), 'three');
  assert.equal(asked.length, 3);
});

test('what is no bearer token is refused without repeating it', async () => {
  const rows: readonly ServiceResponse[] = [
    { status: 200, text: 'secret-page' },
    { status: 200, text: '{"access_token":"secret page\\r\\nx: y","token_type":"bearer"}' },
    { status: 200, text: '{"access_token":"secret","token_type":"mac"}' },
    { status: 400, text: '{"error":"secret value","error_description":"secret"}' },
  ];
  for (const response of rows) {
    const error: unknown = await scripted([response])
      .tokens.read(0)
      .catch((thrown: unknown) => thrown);
    assert.ok(error instanceof ProxyError && error.code === 'credential_unavailable');
    assert.doesNotMatch(inspect(error, { depth: 9 }), /secret/);
  }
});
