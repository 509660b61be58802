import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';

import { createDialer } from '../../src/net/dialer.ts';
import { ProxyChain } from '../../src/net/proxy-chain.ts';
import type { ProxyChainOptions } from '../../src/net/proxy-chain.ts';
import { createResolver } from '../../src/net/resolver.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { Secret } from '../../src/protocol/secret.ts';
import { httpsOrigin } from '../support/origin.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const authority = createTestAuthority();

interface CorporateProxy extends AsyncDisposable {
  readonly port: number;
  readonly seen: { readonly target: string; readonly authorization: string | undefined }[];
}

/** Sends every CONNECT to the given port of loopback; refuses without the right credentials. */
async function corporateProxy(originPort: number, expected?: string): Promise<CorporateProxy> {
  const seen: CorporateProxy['seen'] = [];
  const sockets = new Set<Duplex>();
  const server = createServer();
  server.on('connect', (request, socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    const authorization = request.headers['proxy-authorization'];
    seen.push({ target: request.url ?? '', authorization });
    if (expected !== undefined && authorization !== expected) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    const origin = connect(originPort, '127.0.0.1');
    sockets.add(origin);
    origin.on('error', () => socket.destroy());
    socket.write('HTTP/1.1 200 OK\r\nX-Via: corporate\r\n\r\n');
    socket.pipe(origin).pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function chained(port: number, more: Partial<ProxyChainOptions> = {}): ReturnType<typeof createDialer> {
  const limits = defaultLimits;
  const chain = new ProxyChain({ proxy: { host: '127.0.0.1', port }, noProxy: [], limits, ...more });
  const resolver = createResolver({ limits, hosts: { 'direct.test': ['127.0.0.1'] }, hostsFile: false });
  return createDialer({ resolver, trust: [authority.caPem], limits, chain });
}

const request = (host: string, port: number) => ({
  destination: { scheme: 'https', host, port } as const,
  addresses: ['127.0.0.0/8'],
  principalId: 'p',
  alpn: ['http/1.1'],
});

test('a name goes to the proxy unresolved, with credentials, and the origin is verified through it', async () => {
  await using origin = await httpsOrigin({ authority });
  const basic = `Basic ${Buffer.from('agent:word').toString('base64')}`;
  await using proxy = await corporateProxy(origin.port, basic);
  const dialer = chained(proxy.port, { credentials: () => Promise.resolve(new Secret('agent:word')) });
  const { socket, address } = await dialer.dial(request('only-the-proxy-knows.test', 443));
  assert.equal(address, `via 127.0.0.1:${proxy.port}`);
  socket.write('GET /hello HTTP/1.1\r\nHost: only-the-proxy-knows.test\r\nConnection: close\r\n\r\n');
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  assert.match(Buffer.concat(chunks).toString(), /hello/);
  assert.deepEqual(proxy.seen, [{ target: 'only-the-proxy-knows.test:443', authorization: basic }]);
});

test('a refusal of the proxy names the origin to the workload and the proxy to the operator', async () => {
  await using proxy = await corporateProxy(1, 'Basic never');
  await assert.rejects(chained(proxy.port).dial(request('allowed.test', 443)), {
    code: 'origin_unreachable',
    message: /the proxy on the way to allowed\.test does not accept the gateway's credentials \(407\)/,
    operatorDetail: new RegExp(`via 127\\.0\\.0\\.1:${proxy.port}`),
  });
});

test('a refusal names the host that was asked for, not the address that the configuration gives it', async () => {
  await using proxy = await corporateProxy(1, 'Basic never');
  await assert.rejects(chained(proxy.port).dial(request('direct.test', 443)), {
    code: 'origin_unreachable',
    message: /^the proxy on the way to direct\.test does not/,
  });
});

test('hosts of the exception list are dialled directly', async () => {
  await using origin = await httpsOrigin({ authority });
  await using proxy = await corporateProxy(origin.port);
  const dialer = chained(proxy.port, { noProxy: ['.direct.test'] });
  const { socket, address } = await dialer.dial(request('direct.test', origin.port));
  socket.destroy();
  assert.equal(address, '127.0.0.1');
  assert.deepEqual(proxy.seen, []);
});

test('address literals are judged before the proxy is asked, metadata even if a rule opens them', async () => {
  await using proxy = await corporateProxy(1);
  const dialer = chained(proxy.port);
  for (const [host, addresses] of [
    ['10.0.0.1', []],
    ['169.254.169.254', ['169.254.0.0/16']],
    ['::ffff:169.254.169.254', ['0.0.0.0/0', '::/0']],
  ] as const) {
    await assert.rejects(dialer.dial({ ...request(host, 443), addresses }), { code: 'address_denied' }, host);
  }
  assert.deepEqual(proxy.seen, []);
});

test('names that mean this machine or metadata wherever they are resolved are judged like their addresses', async () => {
  await using proxy = await corporateProxy(1);
  const dialer = chained(proxy.port);
  for (const [host, addresses] of [
    ['localhost', []],
    ['db.localhost', []],
    ['metadata.google.internal', ['169.254.0.0/16']],
    ['instance-data', ['0.0.0.0/0']],
  ] as const) {
    await assert.rejects(dialer.dial({ ...request(host, 443), addresses }), { code: 'address_denied' }, host);
  }
  assert.deepEqual(proxy.seen, []);
});

test('a name that the configuration maps goes as its address, which is judged first', async () => {
  await using origin = await httpsOrigin({ authority });
  await using proxy = await corporateProxy(origin.port);
  const dialer = chained(proxy.port);
  await assert.rejects(dialer.dial({ ...request('direct.test', 443), addresses: [] }), {
    code: 'address_denied',
  });
  assert.deepEqual(proxy.seen, []);
  // Loopback is opened by the rule; TLS is still with the name.
  const { socket } = await dialer.dial({ ...request('direct.test', 443), addresses: ['127.0.0.1/32'] });
  socket.destroy();
  assert.deepEqual(proxy.seen, [{ target: '127.0.0.1:443', authorization: undefined }]);
});

test('what the proxy says no to is told by what can be done about it', async () => {
  for (const [status, message] of [
    [403, /does not allow this destination \(403\)/],
    [502, /cannot reach the destination \(502\)/],
    [418, /refused the connection \(418\)/],
  ] as const) {
    const server = createServer();
    server.on('connect', (_request, socket) =>
      socket.on('error', () => undefined).end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await assert.rejects(chained(port).dial(request('allowed.test', 443)), {
      code: 'origin_unreachable',
      message,
    });
    server.close();
  }
});

test('a proxy that does not response is a timeout', async () => {
  const server = createServer();
  server.on('connect', (_request, socket) => socket.on('error', () => undefined));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const limits = { ...defaultLimits, connectTimeoutMs: 50 };
  const dialer = chained((server.address() as AddressInfo).port, { limits });
  await assert.rejects(dialer.dial(request('allowed.test', 443)), { code: 'timeout' });
  server.closeAllConnections();
  server.close();
});

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a proxy that is not verified gets no octet, not even behind the handshake of ${maxVersion}`, async () => {
    for (const [identity, isTrusted] of [
      [createTestAuthority().issue('127.0.0.1'), false],
      [authority.issue('other.test'), false],
      [authority.issue('127.0.0.1'), true],
    ] as const) {
      const received: Buffer[] = [];
      const server = createTlsServer({ ...identity, maxVersion }, (socket) => {
        socket
          .on('error', () => undefined)
          .on('data', (chunk: Buffer) => {
            received.push(chunk);
            socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n');
          });
      });
      server.on('tlsClientError', () => undefined);
      const closed = new Promise((resolve) => {
        server.once('connection', (socket: Socket) => socket.once('close', resolve));
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const dialer = chained((server.address() as AddressInfo).port, {
        tls: { ca: [authority.caPem] },
        credentials: () => Promise.resolve(new Secret('agent:word')),
      });
      await assert.rejects(dialer.dial(request('far.test', 443)), { code: 'origin_unreachable' });
      await closed;
      server.close();
      const text = Buffer.concat(received).toString();
      if (isTrusted) assert.match(text, /^Proxy-Authorization: Basic /m);
      else assert.equal(text, '');
    }
  });
}

test('the credentials wait for the verification of the proxy, however long that takes', async () => {
  const received: string[] = [];
  const proxy = createTlsServer(authority.issue('127.0.0.1'), (socket) => {
    socket
      .on('error', () => undefined)
      .once('data', (chunk: Buffer) => {
        received.push(chunk.toString());
        socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n');
      });
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const { promise: held, resolve: onHeld } = Promise.withResolvers<void>();
  const fromClient: Buffer[] = [];
  // Holds what the proxy says of itself.
  const delay = createTcpServer((socket) => {
    const onward = connect((proxy.address() as AddressInfo).port, '127.0.0.1');
    for (const one of [socket, onward]) one.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => fromClient.push(chunk)).pipe(onward);
    onward.once('readable', () => {
      onHeld();
      void released.then(() => onward.pipe(socket));
    });
  });
  delay.listen(0, '127.0.0.1');
  await once(delay, 'listening');
  const dialer = chained((delay.address() as AddressInfo).port, {
    tls: { ca: [authority.caPem] },
    credentials: () => Promise.resolve(new Secret('agent:word')),
  });
  const refused = assert.rejects(dialer.dial(request('far.test', 443)), { code: 'origin_unreachable' });
  await held;
  // One record: the ClientHello.
  const sent = Buffer.concat(fromClient);
  assert.equal(sent.length, 5 + sent.readUInt16BE(3));
  assert.deepEqual(received, []);
  release();
  await refused;
  assert.match(received.join(''), /^Proxy-Authorization: Basic /m);
  proxy.close();
  delay.close();
});
