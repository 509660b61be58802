// A log-in of an operator: by a device code and by a browser, and what an attacker between them can send.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authorizationServerOf } from '../../../../src/gateway/credentials/kept/authorization-server.ts';
import {
  beginByBrowser,
  finishByBrowser,
  keptValueOf,
  type LogInWay,
  logInByDevice,
} from '../../../../src/gateway/credentials/kept/operator-log-in.ts';
import { newProofKey, ProofKey } from '../../../../src/gateway/credentials/kept/proof-key.ts';
import { TokenEndpoint } from '../../../../src/gateway/credentials/kept/token-endpoint.ts';
import type { ServiceOctetFetch } from '../../../../src/gateway/forward/service-fetch.ts';
import { Secret } from '../../../../src/protocol/secret.ts';
import { openStore } from '../../../../src/store/open-store.ts';
import type { AuthorizationServer } from '../../../support/authorization-server.ts';
import { fetchOf, gatewayOf, id, issuer, serverOf, settings } from './kept-fixture.ts';

const redirectUri = 'http://127.0.0.1:4000/callback';

async function wayOf(
  server: AuthorizationServer,
  changes: {
    readonly secret?: string;
    readonly proofKey?: ProofKey;
    readonly fetch?: ServiceOctetFetch;
  } = {},
): Promise<LogInWay> {
  const fetch = changes.fetch ?? fetchOf(server);
  const secret = changes.secret === undefined ? undefined : new Secret(changes.secret);
  const asked = secret === undefined ? settings : { ...settings, source: { env: 'SECRET' } };
  const found = await authorizationServerOf(asked, fetch, []);
  const client = { clientId: 'client', auth: found.auth, secret, proofKey: changes.proofKey, ca: [] };
  return { settings: asked, server: found, endpoint: new TokenEndpoint(fetch), client, clock: Date.now };
}

/** The page of the server, with somebody who says yes. */
async function visited(server: AuthorizationServer, url: string): Promise<URLSearchParams> {
  const { status, headers } = await server.handle({ method: 'GET', url, headers: {}, body: '' });
  assert.equal(status, 302);
  return new URL(headers['location'] ?? '').searchParams;
}

test('a browser comes back with a code, and the tokens are those of that log-in alone', async () => {
  const server = serverOf({ clientSecret: 's e/c:ret' });
  const way = await wayOf(server, { secret: 's e/c:ret' });
  const begun = beginByBrowser(way, redirectUri);
  const search = await visited(server, begun.url);
  const altered = (change: Readonly<Record<string, string>>): URLSearchParams => {
    const other = new URLSearchParams(search);
    for (const [name, value] of Object.entries(change)) other.set(name, value);
    return other;
  };
  assert.equal(await finishByBrowser(way, begun, altered({ state: 'forged' })), undefined);
  await assert.rejects(
    finishByBrowser(way, begun, altered({ iss: 'https://evil.test' })),
    /from another server/,
  );
  const nameless = new URLSearchParams(search);
  nameless.delete('iss');
  await assert.rejects(finishByBrowser(way, begun, nameless), /from another server/);
  await assert.rejects(
    finishByBrowser(way, begun, altered({ error: 'access_denied' })),
    /it says access_denied/,
  );
  await assert.rejects(finishByBrowser(way, begun, altered({ error: '<b>\n' })), /it says an error/);
  const tokens = await finishByBrowser(way, begun, search);
  assert.ok(tokens !== undefined && server.isGood(tokens.accessToken));
  await assert.rejects(finishByBrowser(way, begun, search), /invalid_grant/, 'a code is good once');
});

test('a code that somebody else began is of no use: the verifier is another one', async () => {
  const server = serverOf();
  const way = await wayOf(server);
  const [begun, other] = [beginByBrowser(way, redirectUri), beginByBrowser(way, redirectUri)];
  const search = await visited(server, other.url);
  search.set('state', begun.state);
  await assert.rejects(finishByBrowser(way, begun, search), /invalid_grant/);
});

test('a device code is asked for until somebody has entered it, as slowly as the server says', async () => {
  const server = serverOf();
  const way = await wayOf(server);
  const pauses: number[] = [];
  const told: string[] = [];
  const tokens = await logInByDevice(
    way,
    ({ url, code }) => told.push(`${url} ${code}`),
    (ms) => {
      pauses.push(ms);
      if (pauses.length === 3) server.approveDevices();
      return Promise.resolve();
    },
  );
  assert.deepEqual(told, [`${issuer}/enter WDJB-MJHT`]);
  assert.deepEqual(pauses, [1000, 1000, 6000]);
  assert.ok(server.isGood(tokens.accessToken));
});

test('metadata of another issuer are not used, and neither are places that are not https', async () => {
  const server = serverOf();
  const serving =
    (change: (metadata: Record<string, unknown>) => object): ServiceOctetFetch =>
    async (url, request) => {
      const response = await fetchOf(server)(url, request);
      // The server's own metadata.
      const text = JSON.stringify(change(JSON.parse(response.text) as Record<string, unknown>));
      return { ...response, text };
    };
  const other = serving((metadata) => ({ ...metadata, issuer: 'https://evil.test' }));
  await assert.rejects(wayOf(server, { fetch: other }), /of another issuer/);
  const clear = serving((metadata) => ({ ...metadata, token_endpoint: 'http://login.test/token' }));
  await assert.rejects(wayOf(server, { fetch: clear }), /has no metadata/);
});

test('an error with status 200 is one, and nothing of the text of a server is told on', async () => {
  const server = serverOf();
  const saying =
    (status: number, text: string): ServiceOctetFetch =>
    async (url, request) =>
      url.endsWith('/token')
        ? { ...(await fetchOf(server)(url, request)), status, text }
        : await fetchOf(server)(url, request);
  const said = async (status: number, text: string): Promise<string> => {
    const way = await wayOf(server, { fetch: saying(status, text) });
    const begun = beginByBrowser(way, redirectUri);
    const search = await visited(server, begun.url);
    const failure = await finishByBrowser(way, begun, search).then(
      () => 'given',
      (error: Error) => error.message,
    );
    return failure;
  };
  assert.match(await said(200, '{"error":"bad_verification_code"}'), /status 200, bad_verification_code/);
  assert.match(await said(200, 'access_token=a&token_type=bearer'), /responded with no token/);
  assert.match(await said(500, '{"error":"SECRET tail"}'), /\(status 500\)$/);
  assert.match(await said(200, '{"access_token":"a b","token_type":"bearer"}'), /no token/);
  assert.match(await said(200, '{"access_token":"a","token_type":"mac"}'), /type that is not known/);
  assert.match(await said(200, '{"access_token":"a","token_type":"DPoP"}'), /dpop: true/);
});

test('tokens that are bound to a key are had, renewed and proven with it, with the nonce that the server asks for', async () => {
  await using store = await openStore('sqlite::memory:');
  const server = serverOf({ dpop: true });
  const jwk = newProofKey();
  const way = await wayOf(server, { proofKey: new ProofKey(jwk) });
  const begun = beginByBrowser(way, redirectUri);
  const tokens = await finishByBrowser(way, begun, await visited(server, begun.url));
  assert.equal(tokens?.tokenType, 'DPoP');
  assert.ok(tokens !== undefined);
  const gateway = gatewayOf({ store: store.keptTokens, server, settings: { ...settings, dpop: true } });
  await gateway.tokens.put(id, keptValueOf(way, tokens, jwk), 0);
  server.changeNonce();
  const held = await gateway.source.held(Date.now());
  assert.ok(server.isGood(held.secret.reveal()));
  const proof = held.proofKey?.proof({
    method: 'GET',
    url: 'https://api.test/a?b=c#d',
    nowMs: 1_000_000,
    accessToken: 'token',
  });
  const [head = '', claims = ''] = (proof ?? '')
    .split('.')
    .map((part) => Buffer.from(part, 'base64url').toString());
  assert.ok(!head.includes('"d"'), 'the private half stays');
  const { jti: _, ...said } = JSON.parse(claims) as Record<string, unknown>;
  assert.deepEqual(said, {
    htm: 'GET',
    htu: 'https://api.test/a',
    iat: 1000,
    ath: 'PEaenWxYddN6Q_NT1PiOYfz4EsZu7jRXRlpAsNpBU-A',
  });
});
