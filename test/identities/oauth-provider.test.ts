// Log-ins at npm's `oidc-provider`, which gives each refresh token once and takes all of a log-in back when one comes again: device code, code with PKCE,
// renewal by two gateways, revocation, and tokens that are bound to a key.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get as getHttps } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';

import { authorizationServerOf } from '../../src/gateway/credentials/kept/authorization-server.ts';
import { keptIdOf } from '../../src/gateway/credentials/kept/kept-value.ts';
import type { LogInSettings } from '../../src/gateway/credentials/kept/log-in-settings.ts';
import {
  beginByBrowser,
  finishByBrowser,
  keptValueOf,
  type LogInWay,
} from '../../src/gateway/credentials/kept/operator-log-in.ts';
import { newProofKey, ProofKey } from '../../src/gateway/credentials/kept/proof-key.ts';
import { TokenEndpoint } from '../../src/gateway/credentials/kept/token-endpoint.ts';
import { Secret } from '../../src/protocol/secret.ts';
import { openStore } from '../../src/store/open-store.ts';
import { gatewayOf } from '../gateway/credentials/kept/kept-fixture.ts';
import { openTestServices } from '../gateway/support/service-fetch.ts';
import { AuthorizationServer } from '../support/authorization-server.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const skip = process.env['TEST_IDENTITIES'] === undefined ? '`npm run test:identities` runs it' : false;
const authority = createTestAuthority();
const redirectUri = 'http://127.0.0.1:9/callback';
const clientSecret = 'of the client: +/&%';
const id = keptIdOf('tracker');

interface Scene extends AsyncDisposable {
  readonly way: LogInWay;
  readonly services: ReturnType<typeof openTestServices>;
  /** The browser of somebody who logs in and says yes; gives with what it comes back. */
  visit(url: string): Promise<URLSearchParams>;
}

async function openScene(dpop: boolean): Promise<Scene & { readonly jwk: ReturnType<typeof newProofKey> }> {
  await using stack = new AsyncDisposableStack();
  const server = createServer({ ...authority.issue('localhost') });
  server.listen(0, 'localhost');
  await once(server, 'listening');
  stack.defer(() => {
    server.close();
    server.closeAllConnections();
  });
  // Listening on a port, not on a path.
  const { port } = server.address() as AddressInfo;
  const issuer = `https://localhost:${port}`;
  // Loading it takes a while, of which `npm test` has nothing.
  const { Provider } = await import('../support/oidc-provider.ts');
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'client',
        client_secret: clientSecret,
        grant_types: ['refresh_token', 'authorization_code'],
        application_type: 'native',
        redirect_uris: [redirectUri],
        scope: 'openid offline_access',
        dpop_bound_access_tokens: dpop,
      },
    ],
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true },
      dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 7), requireNonce: () => dpop },
    },
    pkce: { required: () => true },
    findAccount: (_context: unknown, account: string) => ({
      accountId: account,
      claims: () => ({ sub: account }),
    }),
    interactions: { url: () => '/say-yes' },
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
    cookies: { keys: ['of-a-test'] },
  });
  const respond = provider.callback();
  server.on('request', (request, response) => {
    if (request.url?.startsWith('/say-yes') !== true) {
      respond(request, response);
      return;
    }
    void (async () => {
      const grant = new provider.Grant({ accountId: 'ada', clientId: 'client' });
      grant.addOIDCScope('openid offline_access');
      const grantId = await grant.save();
      await provider.interactionFinished(request, response, {
        login: { accountId: 'ada' },
        consent: { grantId },
      });
    })().catch(() => response.destroy());
  });
  const services = stack.use(openTestServices([authority.caPem]));
  const settings: LogInSettings = {
    issuer,
    clientId: 'client',
    source: { env: 'SECRET' },
    scopes: ['openid', 'offline_access'],
    ca: [],
    dpop,
  };
  const found = await authorizationServerOf(settings, services.fetch, []);
  const jwk = newProofKey();
  const proofKey = dpop ? new ProofKey(jwk) : undefined;
  const client = { clientId: 'client', auth: found.auth, secret: new Secret(clientSecret), proofKey, ca: [] };
  const way = {
    settings,
    server: found,
    endpoint: new TokenEndpoint(services.fetch),
    client,
    clock: Date.now,
  };
  const owned = stack.move();
  return {
    way,
    jwk,
    services,
    visit: async (url) => {
      const cookies = new Map<string, string>();
      let at = new URL(url);
      for (let steps = 0; steps < 10; steps += 1) {
        const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
        const request = getHttps(at, { ca: authority.caPem, headers: { cookie } });
        // What a request hears first is its response.
        const [page] = (await once(request, 'response')) as [IncomingMessage];
        page.resume();
        for (const set of page.headers['set-cookie'] ?? []) {
          const [pair = ''] = set.split(';');
          cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
        }
        at = new URL(page.headers.location ?? assert.fail(`no way on from ${at.pathname}`), at);
        if (at.href.startsWith(redirectUri)) return at.searchParams;
      }
      return assert.fail('it goes round');
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

for (const dpop of [false, true])
  test(
    `a log-in is renewed by two gateways, and revoked${dpop ? ', bound to a key' : ''}`,
    { skip },
    async () => {
      await using scene = await openScene(dpop);
      await using store = await openStore('sqlite::memory:');
      const { way, services, jwk } = scene;
      const begun = beginByBrowser(way, redirectUri);
      const tokens = await finishByBrowser(way, begun, await scene.visit(begun.url));
      assert.ok(tokens?.refreshToken !== undefined);
      assert.equal(tokens.tokenType, dpop ? 'DPoP' : 'Bearer');
      const common = {
        store: store.keptTokens,
        // Asked by the way of the gateway.
        server: new AuthorizationServer({ issuer: 'https://unused.test' }),
        fetch: services.fetch,
        settings: way.settings,
        clientSecret,
      };
      const gateways = ['a', 'b'].map((name) => gatewayOf({ ...common, name }));
      const [first] = gateways;
      assert.ok(first !== undefined);
      await first.tokens.put(id, keptValueOf(way, tokens, dpop ? jwk : undefined), 0);
      const seen = new Set([tokens.refreshToken]);
      for (let round = 0; round < 6; round += 1) {
        const nowMs = Date.now() + round * 60_000;
        await Promise.all(gateways.flatMap(({ source }) => [source.read(nowMs), source.read(nowMs)]));
        const kept = await first.tokens.read(id);
        seen.add(kept.value.refreshToken ?? '');
        // It is due again at once.
        await first.tokens.put(id, kept.value, 0);
      }
      assert.equal(
        seen.size,
        7,
        'each was another one, and none came twice: the server would have taken all back',
      );
      const { value } = await first.tokens.read(id);
      const url = way.server.revocationUrl ?? assert.fail();
      const form = { token: value.refreshToken ?? '', token_type_hint: 'refresh_token' };
      await way.endpoint.revoke(way.client, { url, form, nowMs: Date.now() });
      const after = Date.now() + 3_600_000;
      await assert.rejects(first.source.read(after), /\(invalid_grant\): log in by/);
      assert.deepEqual(
        first.told.map(({ kind }) => kind),
        ['refused'],
      );
    },
  );

test(
  'a refresh token that somebody else used first: the server takes all back, and people are told',
  { skip },
  async () => {
    await using scene = await openScene(false);
    await using store = await openStore('sqlite::memory:');
    const { way, services } = scene;
    const begun = beginByBrowser(way, redirectUri);
    const tokens = await finishByBrowser(way, begun, await scene.visit(begun.url));
    assert.ok(tokens?.refreshToken !== undefined);
    const server = new AuthorizationServer({ issuer: 'https://unused.test' });
    const gateway = gatewayOf({
      store: store.keptTokens,
      server,
      fetch: services.fetch,
      settings: way.settings,
      clientSecret,
    });
    await gateway.tokens.put(id, keptValueOf(way, tokens, undefined), 0);
    const form = { grant_type: 'refresh_token', refresh_token: tokens.refreshToken };
    const stolen = await way.endpoint.ask(way.client, { url: way.server.tokenUrl, form, nowMs: Date.now() });
    assert.equal(stolen.kind, 'given');
    await assert.rejects(
      gateway.source.read(Date.now()),
      /takes the refresh token no more \(invalid_grant\)/,
    );
  },
);
