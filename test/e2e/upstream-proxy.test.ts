import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer as createHttps } from 'node:https';
import { connect as connectHttp2 } from 'node:http2';
import type { IncomingHttpHeaders } from 'node:http2';
import { connect as connectTcp, createServer as createTcp } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { createServer as createTls, connect as connectTls } from 'node:tls';

import { http2Origin } from '../gateway/support/http2-origin.ts';
import { get, sendRaw } from '../gateway/support/raw-http.ts';
import { corporateProxy } from '../support/corporate-proxy.ts';
import { deploy, type AgentProcess, type Deployment } from '../support/deployment.ts';
import { httpsOrigin } from '../support/origin.ts';
import { connectThrough, tlsThrough } from '../support/proxy-client.ts';
import { needSquid, startSquid } from '../support/squid.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const authority = createTestAuthority();
/** Of the proxy alone: origins are not verified against it, nor it against that of the origins. */
const proxyAuthority = createTestAuthority();
const username = 'gateway';
const password = 'canary-proxy-9b7e';

async function listen(server: Server, stack: AsyncDisposableStack): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.defer(() => void server.close());
  return (server.address() as AddressInfo).port;
}

interface Origins {
  readonly http1: number;
  readonly http2: number;
  readonly raw: number;
  readonly passed: number;
  readonly issuer: number;
  readonly tokens: () => number;
}

async function openOrigins(stack: AsyncDisposableStack): Promise<Origins> {
  const issuer = stack.use(
    await httpsOrigin({
      authority,
      handler: (_request, response) => {
        response.setHeader('content-type', 'application/json');
        response.end('{"access_token":"from-the-issuer","token_type":"Bearer","expires_in":600}');
      },
    }),
  );
  const http1 = createHttps(authority.issue('allowed.test'), (request, response) => {
    void text(request).then((body) => response.end(`${request.headers.authorization ?? 'none'} ${body}`));
  });
  return {
    http1: await listen(http1, stack),
    http2: stack.use(await http2Origin(authority, true)).port,
    raw: await listen(
      createTcp((socket) => void socket.on('error', () => undefined).pipe(socket)),
      stack,
    ),
    passed: await listen(
      createTls(
        authority.issue('passed.test'),
        (socket) => void socket.on('error', () => undefined).pipe(socket),
      ),
      stack,
    ),
    issuer: issuer.port,
    tokens: () => issuer.requests.length,
  };
}

function rulesFor({ http1, http2, raw, passed }: Origins): readonly Readonly<Record<string, unknown>>[] {
  return [
    { name: 'token', hosts: 'allowed.test', ports: http1, paths: '/token', inject: 'api' },
    { name: 'allowed', hosts: ['allowed.test', 'refused.test'], ports: [http1, http2, 1] },
    { name: 'raw', hosts: 'raw.test', scheme: 'tcp', ports: raw },
    { name: 'passed', hosts: 'passed.test', tls: 'passthrough', ports: passed },
    { name: 'direct', hosts: 'direct.test', ports: http1, addresses: '127.0.0.1/32' },
    {
      name: 'private',
      hosts: ['10.1.2.3', 'metadata.google.internal'],
      ports: 443,
      addresses: '10.1.2.3/32',
    },
    { name: 'closed', hosts: 'mapped.test', ports: http1 },
  ];
}

/** A gateway whose way out is the proxy on that port of loopback. */
async function deployBehind(
  proxyPort: number,
  origins: Origins,
  stack: AsyncDisposableStack,
): Promise<Deployment> {
  const directory = stack.use(await temporaryDirectory()).path;
  const proxyCa = join(directory, 'proxy-ca.pem');
  await writeFile(proxyCa, proxyAuthority.caPem);
  const originCa = join(directory, 'origin-ca.pem');
  await writeFile(originCa, authority.caPem);
  return stack.use(
    await deploy({
      rules: rulesFor(origins),
      credentials: {
        api: {
          kind: 'oauth',
          tokenUrl: `https://issuer.test:${origins.issuer}/token`,
          clientId: 'me',
          source: { env: 'CLIENT_SECRET' },
        },
      },
      environment: { ...process.env, CLIENT_SECRET: 'hidden', PROXY_PASSWORD: password },
      config: {
        upstream: {
          systemTrust: false,
          ca: originCa,
          hosts: { 'direct.test': '127.0.0.1', 'mapped.test': '10.9.9.9' },
          proxy: {
            url: `https://127.0.0.1:${proxyPort}`,
            username,
            source: { env: 'PROXY_PASSWORD' },
            noProxy: ['direct.test'],
            ca: proxyCa,
          },
        },
      },
    }),
  );
}

interface Client {
  readonly relayPort: number;
  readonly ca: string;
}

async function clientOf(agent: AgentProcess): Promise<Client> {
  const bundle = agent.env['SSL_CERT_FILE'] ?? agent.env['NODE_EXTRA_CA_CERTS'] ?? '';
  return { relayPort: agent.relayPort, ca: await readFile(bundle, 'utf8') };
}

const post = (at: string, body: string): string =>
  `POST /post HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

/** Every way in which the gateway opens a connection, once. */
async function useEverything(client: Client, origins: Origins): Promise<void> {
  const at = `allowed.test:${origins.http1}`;
  const to = { ...client, host: 'allowed.test', port: origins.http1 };
  assert.equal((await sendRaw(await tlsThrough(to), get(at, '/'))).body, 'none ');
  assert.equal((await sendRaw(await tlsThrough(to), post(at, 'hello'))).body, 'none hello');
  // The credential itself does not come back to the client.
  const withToken = await sendRaw(await tlsThrough(to), get(at, '/token'));
  assert.equal(withToken.status, 200);
  assert.equal(withToken.body.includes('from-the-issuer'), false);
  assert.equal(origins.tokens(), 1);
  await useHttp2({ ...client, host: 'allowed.test', port: origins.http2 });
  const raw = await connectThrough({ ...client, host: 'raw.test', port: origins.raw });
  raw.write('raw bytes');
  assert.equal(String(((await once(raw, 'data')) as [Buffer])[0]), 'raw bytes');
  raw.destroy();
  const socket = await connectThrough({ ...client, host: 'passed.test', port: origins.passed });
  const passed = connectTls({ socket, servername: 'passed.test', ca: authority.caPem });
  passed.write('passed bytes');
  assert.equal(String(((await once(passed, 'data')) as [Buffer])[0]), 'passed bytes');
  passed.destroy();
}

/** HTTP/2 to the origin, and a WebSocket over it (RFC 8441). */
async function useHttp2(to: { relayPort: number; ca: string; host: string; port: number }): Promise<void> {
  const at = `${to.host}:${to.port}`;
  const tls = connectTls({
    socket: await connectThrough(to),
    servername: to.host,
    ca: to.ca,
    ALPNProtocols: ['h2'],
  });
  await once(tls, 'secureConnect');
  const session = connectHttp2(`https://${at}`, { createConnection: () => tls });
  session.on('error', () => undefined);
  assert.equal(await text(session.request({ ':path': '/over-h2' })), '/over-h2');
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/ws',
    ':scheme': 'https',
    'sec-websocket-version': '13',
  });
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  assert.equal(headers[':status'], 200);
  stream.end();
  stream.resume();
  await once(stream, 'close');
  session.destroy();
}

async function statusAndBody(
  client: Client,
  host: string,
  port: number,
): Promise<{ status: number; body: string }> {
  return sendRaw(await tlsThrough({ ...client, host, port }), get(`${host}:${port}`, '/'));
}

test('everything goes out through a proxy with TLS and credentials of its own, but for its exceptions', async () => {
  await using stack = new AsyncDisposableStack();
  const origins = await openOrigins(stack);
  const proxy = stack.use(await corporateProxy(proxyAuthority, `${username}:${password}`, ['refused.test']));
  const deployment = await deployBehind(proxy.port, origins, stack);
  const client = await clientOf(stack.use(await deployment.startAgent()));
  await useEverything(client, origins);
  assert.deepEqual(
    new Set(proxy.targets),
    new Set([
      `allowed.test:${origins.http1}`,
      `allowed.test:${origins.http2}`,
      `raw.test:${origins.raw}`,
      `passed.test:${origins.passed}`,
      `issuer.test:${origins.issuer}`,
    ]),
  );
  const before = proxy.targets.length;
  const direct = await statusAndBody(client, 'direct.test', origins.http1);
  // Dialled, and its certificate is for another name.
  assert.match(direct.body, /The certificate of the origin is not for direct\.test/);
  for (const [host, port, told] of [
    ['metadata.google.internal', 443, /an address that is never dialled, whatever a rule says/],
    ['mapped.test', origins.http1, /not public, and the rule does not open it/],
  ] as const) {
    assert.match((await statusAndBody(client, host, port)).body, told, host);
  }
  assert.equal(proxy.targets.length, before);
  const refused = await statusAndBody(client, 'refused.test', origins.http1);
  assert.equal(refused.status, 502);
  assert.match(refused.body, /the proxy on the way to refused\.test does not allow this destination \(403\)/);
  const nobody = await statusAndBody(client, 'allowed.test', 1);
  assert.match(nobody.body, /the proxy on the way to allowed\.test cannot reach the destination \(502\)/);
  const events = await deployment.audit();
  const via = events.filter(({ address }) => address === `via 127.0.0.1:${proxy.port}`);
  assert.ok(via.length >= 6, `${via.length} events say the way`);
  assert.equal(JSON.stringify(events).includes(password), false);
});

test('a proxy that does not take the credentials, and one whose certificate is of another authority, are told', async () => {
  await using stack = new AsyncDisposableStack();
  const origins = await openOrigins(stack);
  const strict = stack.use(await corporateProxy(proxyAuthority, `${username}:another`));
  const other = stack.use(await corporateProxy(authority, `${username}:${password}`));
  for (const [proxy, message] of [
    [strict, /does not accept the gateway's credentials \(407\)/],
    [other, /the proxy on the way to allowed\.test cannot be reached/],
  ] as const) {
    await using inner = new AsyncDisposableStack();
    const deployment = await deployBehind(proxy.port, origins, inner);
    const client = await clientOf(inner.use(await deployment.startAgent()));
    const response = await statusAndBody(client, 'allowed.test', origins.http1);
    assert.equal(response.status, 502);
    assert.match(response.body, message);
    assert.equal(response.body.includes(String(proxy.port)), false);
  }
  assert.deepEqual(other.targets, []);
});

test('the same through squid', async (t) => {
  const reason = await needSquid();
  if (reason !== undefined) {
    t.skip(reason);
    return;
  }
  await using stack = new AsyncDisposableStack();
  const origins = await openOrigins(stack);
  const hosts = ['allowed.test', 'raw.test', 'passed.test', 'issuer.test', 'refused.test'];
  const squid = stack.use(
    await startSquid({ authority: proxyAuthority, username, password, hosts, denied: ['refused.test'] }),
  );
  const deployment = await deployBehind(squid.port, origins, stack);
  const client = await clientOf(stack.use(await deployment.startAgent()));
  await useEverything(client, origins);
  const refused = await statusAndBody(client, 'refused.test', origins.http1);
  assert.match(refused.body, /does not allow this destination \(403\)/);
  const nobody = await statusAndBody(client, 'allowed.test', 1);
  assert.match(nobody.body, /cannot reach the destination \(503\)/);
});

/** Resolves when the connection is gone, reset or not. */
async function broken(socket: Duplex): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.on('error', () => undefined).once('close', () => resolve());
  socket.resume();
  await promise;
}

test('a proxy that leads back to the gateway is found out at the first turn, and so is its own port', async () => {
  await using stack = new AsyncDisposableStack();
  let relayPort = 0;
  // Stands where the proxy is configured; behind it is the relay of the gateway's own agent.
  const loop = createTcp((socket) => {
    const relay = connectTcp(relayPort, '127.0.0.1');
    socket.on('error', () => relay.destroy());
    relay.on('error', () => socket.destroy());
    socket.pipe(relay).pipe(socket);
  });
  const port = await listen(loop, stack);
  const deployment = stack.use(
    await deploy({
      rules: [
        { name: 'raw', hosts: 'raw.test', scheme: 'tcp', ports: 22 },
        { name: 'web', hosts: 'web.test' },
      ],
      config: { upstream: { proxy: { url: `http://127.0.0.1:${port}` } } },
    }),
  );
  const agent = stack.use(await deployment.startAgent());
  relayPort = agent.relayPort;
  const client = await clientOf(agent);
  const raw = await connectThrough({ ...client, host: 'raw.test', port: 22 });
  await broken(raw);
  assert.equal((await statusAndBody(client, 'web.test', 443)).status, 502);
  const own = Number(new URL(deployment.gateway.url).port);
  const self = await connectThrough({ ...client, host: '127.0.0.1', port: own });
  await broken(self);
  const events = await deployment.audit();
  const loops = events.filter(({ errorCode }) => errorCode === 'loop_detected');
  assert.deepEqual(
    loops.map(({ host }) => host),
    ['raw.test', 'web.test', '127.0.0.1'],
  );
  assert.match(String(loops[0]?.['message']), /came through this gateway before/);
  assert.match(String(loops[2]?.['message']), /the gateway itself/);
});
