import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';

import { embeddedConfig } from '../../src/gateway/config/config.ts';
import type { GatewayConfig } from '../../src/gateway/config/config.ts';
import { CredentialSet } from '../../src/gateway/credentials/credential-set.ts';
import { fetchIssuerJson, issuerFetch } from '../../src/gateway/sessions/oidc-fetch.ts';
import { LoopGuard } from '../../src/gateway/forward/loop-guard.ts';
import { openUpstream } from '../../src/gateway/upstream.ts';
import type { Upstream } from '../../src/gateway/upstream.ts';
import { HeaderList } from '../../src/http/header-list.ts';
import { httpsOrigin } from '../support/origin.ts';
import type { Origin } from '../support/origin.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const authority = createTestAuthority();

interface Proxy extends AsyncDisposable {
  readonly url: string;
  readonly seen: string[];
}

/** Sends every CONNECT to the given port of loopback, whatever the name. */
async function openProxy(port: number): Promise<Proxy> {
  const seen: string[] = [];
  const sockets = new Set<Duplex>();
  const server = createServer();
  server.on('connect', ({ url = '', headers }, socket) => {
    seen.push(`${url} ${headers['proxy-authorization'] ?? ''}`.trim());
    const origin = connect(port, '127.0.0.1');
    for (const one of [socket, origin]) sockets.add(one.on('error', () => undefined));
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    socket.pipe(origin).pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Responds to every request as an issuer of tokens and as one of keys. */
const openIssuer = (): Promise<Origin> =>
  httpsOrigin({
    authority,
    handler: (_request, response) =>
      response.end(JSON.stringify({ access_token: 'a-token', token_type: 'bearer', keys: [] })),
  });

async function withUpstream(
  upstream: Partial<GatewayConfig['upstream']>,
  use: (upstream: Upstream) => Promise<void>,
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const config = embeddedConfig('/nonexistent', {
    upstream: { systemTrust: false, ca: [], resolvers: [], hosts: {}, ...upstream },
  });
  const environment = { PROXY_PASSWORD: 'word' };
  const trust = [authority.caPem];
  await use(
    openUpstream({ config, clock: Date.now, trust, proxyCa: [], environment, stack, loops: new LoopGuard() }),
  );
}

async function tokenBy({ fetch }: Upstream, tokenUrl: string): Promise<string | undefined> {
  const config = { kind: 'oauth', tokenUrl, clientId: 'c', source: { env: 'S' } } as const;
  await using set = new CredentialSet({ it: config }, { S: 'secret' }, fetch);
  const head = {
    method: 'GET',
    destination: { scheme: 'https', host: 'origin.test', port: 443 },
    path: '/',
    query: '',
    headers: new HeaderList(),
    httpVersion: '1.1',
  } as const;
  const injected = await set.inject(head, [{ credential: 'it' }], { nowMs: Date.now() });
  return injected.head.headers.first('authorization');
}

test('tokens and keys of issuers come through the proxy, with its credentials, unless the host is exempt', async () => {
  await using issuer = await openIssuer();
  await using proxy = await openProxy(issuer.port);
  const credentials = { username: 'gateway', source: { env: 'PROXY_PASSWORD' } };
  const settings = { url: proxy.url, credentials, noProxy: ['direct.test'], ca: [] };
  const hosts = { 'direct.test': ['127.0.0.1'] };
  await withUpstream({ proxy: settings, hosts }, async (upstream) => {
    assert.equal(await tokenBy(upstream, 'https://only-the-proxy-knows.test/token'), 'Bearer a-token');
    const limits = embeddedConfig('/nonexistent').limits;
    await fetchIssuerJson(issuerFetch(upstream.fetch), 'https://keys.test/jwks', limits);
    const basic = `Basic ${Buffer.from('gateway:word').toString('base64')}`;
    assert.deepEqual(proxy.seen, [`only-the-proxy-knows.test:443 ${basic}`, `keys.test:443 ${basic}`]);
    assert.equal(await tokenBy(upstream, `https://direct.test:${issuer.port}/token`), 'Bearer a-token');
    assert.equal(proxy.seen.length, 2);
  });
});

test('a fixed name leads to the issuer, and its certificate has to be of that name', async () => {
  await using issuer = await openIssuer();
  const url = `https://issuer.test:${issuer.port}/token`;
  await withUpstream({ hosts: { 'issuer.test': ['127.0.0.1'] } }, async (upstream) => {
    assert.equal(await tokenBy(upstream, url), 'Bearer a-token');
  });
  await withUpstream({ resolvers: ['127.0.0.1:1'] }, async (upstream) => {
    await assert.rejects(tokenBy(upstream, url), { code: 'credential_unavailable' });
  });
});

test('an issuer at a metadata address is never asked', async () => {
  await withUpstream({ hosts: { 'issuer.test': ['169.254.169.254'] } }, async (upstream) => {
    await assert.rejects(tokenBy(upstream, 'https://issuer.test/token'), {
      code: 'credential_unavailable',
      message: /issuer.test cannot be reached/,
    });
  });
});

test('what is plain goes to loopback directly, past the proxy, and nowhere else', async () => {
  const server = createServer((_request, response) => response.end('{}'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await using proxy = await openProxy(port);
  try {
    await withUpstream({ proxy: { url: proxy.url, noProxy: [], ca: [] } }, async ({ fetch }) => {
      const ask = { method: 'GET', headers: {} } as const;
      assert.equal((await fetch(`http://127.0.0.1:${port}/`, ask)).status, 200);
      for (const url of ['http://10.0.0.1/', 'http://vault.test/', 'http://user:word@127.0.0.1/'])
        await assert.rejects(fetch(url, ask), /not https/);
      assert.deepEqual(proxy.seen, []);
    });
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
