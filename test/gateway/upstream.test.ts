import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';

import { embeddedConfig } from '../../src/gateway/config/config.ts';
import type { GatewayConfig } from '../../src/gateway/config/config.ts';
import { CredentialSet } from '../../src/gateway/credentials/credential-set.ts';
import { revokeToken } from '../../src/gateway/credentials/inside/token-revocation.ts';
import { fetchIssuerJson, issuerFetch } from '../../src/gateway/sessions/oidc-fetch.ts';
import { LoopGuard } from '../../src/gateway/forward/loop-guard.ts';
import { readUpstreamFiles } from '../../src/gateway/open-exits.ts';
import { openUpstream } from '../../src/gateway/upstream.ts';
import type { Upstream } from '../../src/gateway/upstream.ts';
import type { ProxyError } from '../../src/protocol/error.ts';
import { Secret } from '../../src/protocol/secret.ts';
import { HeaderList } from '../../src/http/header-list.ts';
import { httpsOrigin } from '../support/origin.ts';
import type { Origin } from '../support/origin.ts';
import { socksParent } from '../support/socks-parent.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
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
    upstream: { systemTrust: false, ca: [], resolvers: [], hosts: {}, exits: {}, ...upstream },
  });
  const environment = { PROXY_PASSWORD: 'word' };
  const trust = [authority.caPem];
  const files = await readUpstreamFiles(config);
  await use(
    openUpstream({ config, clock: Date.now, trust, files, environment, stack, loops: new LoopGuard() }),
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

test('the exit for all is the way of what the gateway asks for too, and named ones are there for rules', async () => {
  await using issuer = await openIssuer();
  await using one = await socksParent(issuer.port, 'gateway:word');
  await using other = await openProxy(issuer.port);
  const credentials = { username: 'gateway', source: { env: 'PROXY_PASSWORD' } };
  const exits = {
    parent: {
      proxy: { url: `socks5h://127.0.0.1:${String(one.port)}`, credentials, noProxy: [], ca: [] },
      from: ['127.0.0.4'],
    },
    other: { proxy: { url: other.url, noProxy: [], ca: [] }, from: [] },
  };
  await withUpstream({ exits, exit: 'parent' }, async (upstream) => {
    assert.equal(await tokenBy(upstream, 'https://only-the-proxy-knows.test/token'), 'Bearer a-token');
    const target = 'only-the-proxy-knows.test:443';
    assert.deepEqual(one.seen, [{ target, login: 'gateway:word', from: '127.0.0.4' }]);
    const destination = { scheme: 'https', host: 'only-the-proxy-knows.test', port: 443 } as const;
    const asked = { destination, addresses: [], principalId: 'p', exit: 'other' };
    const { socket } = await upstream.dialer.dial(asked);
    socket.destroy();
    assert.deepEqual(other.seen, [target]);
  });
});

test('a script chooses among the proxies of the configuration, with their log-ins', async () => {
  await using issuer = await openIssuer();
  await using one = await socksParent(issuer.port, 'gateway:word');
  await using directory = await temporaryDirectory();
  const file = join(directory.path, 'proxy.pac');
  const port = String(one.port);
  await writeFile(
    file,
    `function FindProxyForURL(url, host) {
      if (url !== 'https://' + host + '/') return 'PROXY wrong-url.test:1';
      if (dnsResolve('fixed.test') !== '203.0.113.7') return 'PROXY not-resolved.test:1';
      return host === 'one.test' ? 'SOCKS5 127.0.0.1:${port}; DIRECT' : 'DIRECT';
    }`,
  );
  const credentials = { username: 'gateway', source: { env: 'PROXY_PASSWORD' } };
  const proxies = [{ url: `socks5h://127.0.0.1:${port}`, credentials, noProxy: [], ca: [] }];
  const exits = { pac: { pac: { file, proxies, direct: false }, from: [] } };
  const hosts = { 'fixed.test': ['203.0.113.7'] };
  await withUpstream({ exits, exit: 'pac', hosts }, async (upstream) => {
    assert.equal(await tokenBy(upstream, 'https://one.test/token'), 'Bearer a-token');
    assert.deepEqual(
      one.seen.map(({ target }) => target),
      ['one.test:443'],
    );
    const destination = { scheme: 'https', host: 'two.test', port: 443 } as const;
    await assert.rejects(
      upstream.dialer.dial({ destination, addresses: [], principalId: 'p' }),
      (error: ProxyError) => {
        assert.equal(error.code, 'exit_unavailable');
        assert.match(error.operatorDetail ?? '', /exit pac: .*"DIRECT".*permits nothing/);
        assert.doesNotMatch(error.message, /pac|DIRECT/);
        return true;
      },
    );
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

test('a token of a tool is revoked at addresses that its rule opens, and at no other', async () => {
  let asked = 0;
  await using server = await httpsOrigin({
    authority,
    handler: (_request, response) => {
      asked += 1;
      response.end();
    },
  });
  const revoked = {
    kind: 'refresh',
    origin: `https://as.test:${server.port}`,
    token: new Secret('a-token'),
  } as const;
  const hosts = { 'as.test': ['127.0.0.1'] };
  await withUpstream({ hosts }, async ({ guarded: { fetch } }) => {
    for (const addresses of [{}, { addresses: [] }, { addresses: ['10.0.0.0/8'] }]) {
      const revocation = { path: '/revoke', ...addresses };
      await assert.rejects(revokeToken(fetch, { ...revoked, revocation }), {
        code: 'credential_unavailable',
        message: /as\.test:[0-9]+ cannot be reached/,
      });
    }
    assert.equal(asked, 0);
    const revocation = { path: '/revoke', addresses: ['127.0.0.0/8'] };
    assert.equal(await revokeToken(fetch, { ...revoked, revocation }), true);
    assert.equal(asked, 1);
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
