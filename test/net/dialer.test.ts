import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import test, { type TestContext } from 'node:test';
import { createServer as createTlsServer, type TlsOptions, type TLSSocket } from 'node:tls';

import {
  createDialer,
  type Dialer,
  type DialerOptions,
  type DialRequest,
  type DialResult,
} from '../../src/net/dialer.ts';
import { createResolver, type Resolver } from '../../src/net/resolver.ts';
import { ProxyError } from '../../src/protocol/error.ts';
import { defaultLimits, type Limits } from '../../src/protocol/limits.ts';
import { waitUntil } from '../support/program.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { type DnsReply, startDnsServer } from './dns-server.ts';

const authority = createTestAuthority();
const loopback = ['127.0.0.0/8'];

/** Responds with the given lists one after another, the last one for good, and counts. */
function resolverOf(...responses: readonly (readonly string[])[]): Resolver & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    resolve(host) {
      asked.push(host);
      return Promise.resolve(responses[Math.min(asked.length, responses.length) - 1] ?? []);
    },
  };
}

function dialerOf(
  resolver: Resolver,
  limits: Partial<Limits> = {},
  options: Partial<DialerOptions> = {},
): Dialer {
  return createDialer({
    resolver,
    trust: [authority.caPem],
    limits: { ...defaultLimits, ...limits },
    ...options,
  });
}

async function listen(t: TestContext, server: Server, address = '127.0.0.1'): Promise<number> {
  const open = new Set<Socket>();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
  });
  server.listen(0, address);
  await once(server, 'listening');
  t.after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  // A TCP server always has an address object.
  return (server.address() as AddressInfo).port;
}

function tlsServer(host: string, options: TlsOptions = {}): Server {
  const server = createTlsServer({ ...authority.issue(host), ...options });
  server.on('tlsClientError', () => undefined);
  return server;
}

/** Tells every client what the server saw of it, so that a test can wait for both sides of the handshake. */
function tellFacts(server: Server): Server {
  return server.on('secureConnection', (socket: TLSSocket & { servername?: string | false }) => {
    const names = socket.getPeerCertificate().subjectaltname;
    socket.write(JSON.stringify({ servername: socket.servername, names }));
  });
}

async function readFacts(socket: Socket): Promise<unknown> {
  const [data] = (await once(socket, 'data')) as [Buffer];
  return JSON.parse(data.toString());
}

function request(
  scheme: 'http' | 'https' | 'tcp',
  port: number,
  changes: Partial<DialRequest> = {},
): DialRequest {
  return {
    destination: { scheme, host: 'origin.test', port },
    addresses: loopback,
    principalId: 'alice',
    ...changes,
  };
}

async function withSocket(dial: Promise<DialResult>, use: (result: DialResult) => unknown): Promise<void> {
  const result = await dial;
  try {
    await use(result);
  } finally {
    result.socket.destroy();
  }
}

test('a name is resolved once and the connection goes to the address that was checked', async (t) => {
  const port = await listen(t, createServer());
  const resolver = resolverOf(['127.0.0.2'], ['127.0.0.1']);
  await assert.rejects(dialerOf(resolverOf(['127.0.0.2'])).dial(request('http', port)), {
    code: 'origin_unreachable',
  });
  const first = dialerOf(resolver).dial(request('http', port));
  await assert.rejects(first, { code: 'origin_unreachable' });
  assert.deepEqual(resolver.asked, ['origin.test']);
  await withSocket(dialerOf(resolver).dial(request('http', port)), ({ address, alpn, socket }) => {
    assert.deepEqual([address, alpn, socket.remoteAddress], ['127.0.0.1', undefined, '127.0.0.1']);
  });
});

test('a forbidden address is never dialled, and the workload does not learn it', async (t) => {
  let connections = 0;
  const port = await listen(
    t,
    createServer(() => connections++),
  );
  const dial = dialerOf(resolverOf(['127.0.0.1'])).dial(request('http', port, { addresses: [] }));
  await assert.rejects(dial, (error: Error & { code?: string }) => {
    assert.equal(error.code, 'address_denied');
    assert.match(error.message, /origin\.test/);
    assert.doesNotMatch(error.message, /127/);
    assert.match(String(error.cause), /127\.0\.0\.1.*loopback/);
    return true;
  });
  // The control: the same dial with the range opened arrives.
  await withSocket(dialerOf(resolverOf(['127.0.0.1'])).dial(request('http', port)), () => undefined);
  assert.equal(connections, 1);
});

test('one forbidden address among good ones refuses the name', async (t) => {
  const port = await listen(t, createServer());
  for (const response of [
    ['127.0.0.1', '169.254.169.254'],
    ['10.0.0.1', '127.0.0.1'],
    ['64:ff9b::7f00:1', '127.0.0.1'],
  ]) {
    await assert.rejects(dialerOf(resolverOf(response)).dial(request('http', port)), {
      code: 'address_denied',
    });
  }
});

test('what no rule can open is not advised to be opened', async () => {
  const dialer = dialerOf(resolverOf(['169.254.169.254']));
  for (const [host, message, next] of [
    [
      '169.254.169.254',
      /^The address 169\.254\.169\.254 is never dialled, whatever a rule says\.$/,
      /no rule opens it/,
    ],
    [
      'metadata.google.internal',
      /^The name metadata\.google\.internal leads to an address that is never dialled/,
      /no rule opens it/,
    ],
    ['0.0.0.0', /^The address 0\.0\.0\.0 is never dialled/, /^No rule opens such an address/],
    ['127.0.0.1', /^The address 127\.0\.0\.1 is not public, and the rule does not open it\.$/, /^undefined$/],
  ] as const)
    await assert.rejects(
      dialer.dial(request('http', 80, { destination: { scheme: 'http', host, port: 80 }, addresses: [] })),
      (error: unknown) => {
        assert.ok(error instanceof ProxyError && error.code === 'address_denied', host);
        assert.match(error.message, message);
        assert.match(String(error.next), next);
        return true;
      },
    );
});

test('a name that is rebound after the first response is judged again at each dial', async (t) => {
  const port = await listen(t, createServer());
  const dialer = dialerOf(resolverOf(['127.0.0.1'], ['169.254.169.254']));
  await withSocket(dialer.dial(request('http', port)), () => undefined);
  await assert.rejects(dialer.dial(request('http', port)), { code: 'address_denied' });
});

test('an address as host is checked as it is, and nothing is asked for', async (t) => {
  const port = await listen(t, createServer());
  const resolver = resolverOf([]);
  const literal = { destination: { scheme: 'http', host: '127.0.0.1', port } } as const;
  await withSocket(dialerOf(resolver).dial(request('http', port, literal)), ({ address }) =>
    assert.equal(address, '127.0.0.1'),
  );
  await assert.rejects(dialerOf(resolver).dial(request('http', port, { ...literal, addresses: [] })), {
    code: 'address_denied',
  });
  assert.deepEqual(resolver.asked, []);
});

test('an IPv4-mapped address is dialled as the IPv4 address that was checked', async (t) => {
  const port = await listen(t, createServer());
  await withSocket(
    dialerOf(resolverOf(['::ffff:127.0.0.1'])).dial(request('http', port)),
    ({ address, socket }) => {
      assert.deepEqual([address, socket.remoteAddress], ['127.0.0.1', '127.0.0.1']);
    },
  );
});

test('an address of the machine itself has to be opened alone', async (t) => {
  const port = await listen(t, createServer());
  const dialer = dialerOf(resolverOf(['10.0.0.5']), {}, { ownAddresses: () => new Set(['10.0.0.5']) });
  await assert.rejects(dialer.dial(request('http', port, { addresses: ['10.0.0.0/8'] })), {
    code: 'address_denied',
  });
});

test('a port by which the gateway is steered is dialled for no rule, by whatever spelling or name', async (t) => {
  let connections = 0;
  const port = await listen(
    t,
    createServer(() => connections++),
  );
  const isNever = (address: string, at: number): boolean => address === '127.0.0.1' && at === port;
  const addresses = ['0.0.0.0/0', '::/0', '127.0.0.1/32'];
  for (const found of [['127.0.0.1'], ['::ffff:127.0.0.1'], ['127.0.0.2', '127.0.0.1']]) {
    const dialer = dialerOf(resolverOf(found), {}, { isNever });
    await assert.rejects(dialer.dial(request('http', port, { addresses })), { code: 'address_denied' });
  }
  for (const host of ['127.0.0.1', '::ffff:7f00:1']) {
    const dialer = dialerOf(resolverOf([]), {}, { isNever });
    const destination = { scheme: 'http', host, port } as const;
    await assert.rejects(dialer.dial(request('http', port, { addresses, destination })), {
      code: 'address_denied',
    });
  }
  assert.equal(connections, 0);
  await withSocket(
    dialerOf(resolverOf(['127.0.0.1'])).dial(request('http', port, { addresses })),
    () => undefined,
  );
});

test('an address that the machine got a moment ago is found by the connection, before a byte is sent', async (t) => {
  // One of loopback may be dialled by a rule for its network: no other is on every machine.
  const others = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  const own = others.filter(({ internal, address }) => !internal && !address.startsWith('fe80:'));
  if (own.length === 0) return t.skip('this machine has no address but those of loopback');
  for (const { address, family } of own) {
    const server = createServer();
    const received: Buffer[] = [];
    server.on('connection', (socket) => socket.on('data', (chunk: Buffer) => received.push(chunk)));
    const port = await listen(t, server, address);
    // The list was made before the interface came up.
    const dialer = dialerOf(resolverOf([address]), {}, { ownAddresses: () => new Set() });
    const network = family === 'IPv6' ? '::/0' : '0.0.0.0/0';
    await assert.rejects(dialer.dial(request('http', port, { addresses: [network] })), {
      code: 'address_denied',
    });
    await withSocket(dialer.dial(request('http', port, { addresses: [address] })), (result) => {
      assert.equal(result.address, address);
    });
    const services = dialerOf(resolverOf([address]), {}, { reachesThisMachine: true });
    await withSocket(services.dial(request('http', port, { addresses: [network] })), () => undefined);
    assert.deepEqual(received, []);
  }
});

test('the next address takes over where the first refuses', async (t) => {
  const port = await listen(t, createServer(), '127.0.0.3');
  await withSocket(
    dialerOf(resolverOf(['127.0.0.2', '127.0.0.3'])).dial(request('http', port)),
    ({ address }) => {
      assert.equal(address, '127.0.0.3');
    },
  );
});

test('a name with no address, and one with a flood of them, are refused', async () => {
  await assert.rejects(dialerOf(resolverOf([])).dial(request('http', 80)), { code: 'name_not_found' });
  const many = Array.from({ length: defaultLimits.dialAddressesMax + 1 }, (_, i) => `203.0.113.${i}`);
  await assert.rejects(dialerOf(resolverOf(many)).dial(request('http', 80)), {
    code: 'address_denied',
    message: /dialAddressesMax/,
  });
});

test('TLS is verified against the trust, with the host as SNI and the ALPN that was agreed', async (t) => {
  const port = await listen(t, tellFacts(tlsServer('origin.test', { ALPNProtocols: ['h2', 'http/1.1'] })));
  const dial = dialerOf(resolverOf(['127.0.0.1'])).dial(request('https', port, { alpn: ['http/1.1'] }));
  await withSocket(dial, async ({ alpn, socket }) => {
    assert.equal(alpn, 'http/1.1');
    assert.equal((socket as TLSSocket).authorized, true);
    assert.equal(socket.allowHalfOpen, true);
    assert.deepEqual([socket.listenerCount('error'), socket.listenerCount('secureConnect')], [0, 0]);
    assert.deepEqual(await readFacts(socket), { servername: 'origin.test' });
  });
});

test('an address as host is verified by its address entry, without SNI', async (t) => {
  const port = await listen(t, tellFacts(tlsServer('127.0.0.1')));
  const destination = { scheme: 'https', host: '127.0.0.1', port } as const;
  await withSocket(
    dialerOf(resolverOf()).dial(request('https', port, { destination })),
    async ({ socket }) => {
      assert.deepEqual(await readFacts(socket), { servername: false });
    },
  );
});

test('a certificate for another name, of another authority, or one that expired gets no byte', async (t) => {
  const stranger = createTestAuthority();
  const ended = createTestAuthority(Date.now() - 400 * 24 * 3600 * 1000);
  const early = createTestAuthority(Date.now() + 30 * 24 * 3600 * 1000);
  const cases: readonly (readonly [string, TlsOptions, readonly string[]])[] = [
    ['other name', authority.issue('other.test'), [authority.caPem]],
    ['other authority', stranger.issue('origin.test'), [authority.caPem]],
    ['expired', ended.issue('origin.test'), [ended.caPem]],
    ['not valid yet', early.issue('origin.test'), [early.caPem]],
  ];
  const said: Record<string, readonly [RegExp, RegExp]> = {
    'other name': [/^The certificate of the origin is not for origin\.test\.$/, /does not help\.$/],
    'other authority': [/^The certificate of origin\.test does not verify\.$/, /^undefined$/],
    expired: [
      /^The certificate of origin\.test has expired, or one of its chain\.$/,
      /owner of the origin has to renew/,
    ],
    'not valid yet': [
      /^The certificate of origin\.test is not valid yet, or one of its chain\.$/,
      /^The clock of the gateway/,
    ],
  };
  for (const [what, options, trust] of cases) {
    const [message, next] = said[what] ?? assert.fail(what);
    let bytes = 0;
    const server = tlsServer('origin.test', options);
    server.on('secureConnection', (socket: TLSSocket) =>
      socket.on('data', (data: Buffer) => (bytes += data.length)),
    );
    const port = await listen(t, server);
    const dial = dialerOf(resolverOf(['127.0.0.1']), {}, { trust }).dial(request('https', port));
    await assert.rejects(dial, (error: unknown) => {
      assert.ok(error instanceof ProxyError && error.code === 'origin_untrusted', what);
      assert.match(error.message, message);
      // What the code alone says is right for an authority that is not known, and for nothing else.
      assert.match(String(error.next), next);
      return true;
    });
    assert.equal(bytes, 0, what);
  }
});

test('certificates of a rule count beside the trust for its dial, and its own certificate is shown to the origin', async (t) => {
  const stranger = createTestAuthority();
  const server = tlsServer('origin.test', {
    ...stranger.issue('origin.test'),
    ca: [authority.caPem],
    requestCert: true,
    // The certificates of the fixture are for servers; here it only counts which one was shown.
    rejectUnauthorized: false,
  });
  const port = await listen(t, tellFacts(server));
  const dialer = dialerOf(resolverOf(['127.0.0.1']));
  const identity = authority.issue('client.test');
  await assert.rejects(dialer.dial(request('https', port, { tls: identity })), { code: 'origin_untrusted' });
  const result = dialer.dial(request('https', port, { tls: { ...identity, ca: [stranger.caPem] } }));
  await withSocket(result, async ({ socket }) => {
    assert.equal((socket as TLSSocket).authorized, true);
    assert.deepEqual(await readFacts(socket), { servername: 'origin.test', names: 'DNS:client.test' });
  });
  const usual = await listen(t, tlsServer('origin.test'));
  await withSocket(
    dialer.dial(request('https', usual, { tls: { ca: [stranger.caPem] } })),
    async () => undefined,
  );
});

test('no TLS session is offered again where the dial brings no place for it, not even to the same principal', async (t) => {
  const server = tlsServer('origin.test');
  const reused: boolean[] = [];
  server.on('secureConnection', (socket: TLSSocket) => {
    reused.push(socket.isSessionReused());
    socket.end('x');
  });
  const port = await listen(t, server);
  const dialer = dialerOf(resolverOf(['127.0.0.1']));
  for (let i = 0; i < 3; i++) {
    const { socket } = await dialer.dial(request('https', port));
    socket.resume();
    await once(socket, 'end');
    socket.destroy();
  }
  assert.deepEqual(reused, [false, false, false]);
});

test('an origin that does not speak TLS is unreachable, one that says nothing a timeout', async (t) => {
  const talker = await listen(
    t,
    createServer((socket) => socket.end('220 ready\r\n')),
  );
  await assert.rejects(dialerOf(resolverOf(['127.0.0.1'])).dial(request('https', talker)), {
    code: 'origin_unreachable',
  });
  const closer = await listen(
    t,
    createServer((socket) => socket.destroy()),
  );
  await assert.rejects(dialerOf(resolverOf(['127.0.0.1'])).dial(request('https', closer)), {
    code: 'origin_unreachable',
  });
  const silent = await listen(t, createServer());
  const dialer = dialerOf(resolverOf(['127.0.0.1']), { handshakeTimeoutMs: 50 });
  await assert.rejects(dialer.dial(request('https', silent)), {
    code: 'timeout',
    message: /handshakeTimeoutMs/,
  });
});

test('a cancelled dial ends its socket at once', async (t) => {
  const server = createServer();
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const port = await listen(t, server);
  const abort = new AbortController();
  const rejected = assert.rejects(
    dialerOf(resolverOf(['127.0.0.1'])).dial(request('https', port, { signal: abort.signal })),
    { code: 'cancelled' },
  );
  const [socket] = await accepted;
  socket.resume();
  const closed = once(socket, 'close');
  abort.abort();
  await rejected;
  await closed;
  const never = dialerOf(resolverOf(['127.0.0.1'])).dial(
    request('http', port, { signal: AbortSignal.abort() }),
  );
  await assert.rejects(never, { code: 'cancelled' });
});

test('dials under way are bounded for each principal, and a place is given back', async () => {
  const gate = Promise.withResolvers<readonly string[]>();
  const dialer = dialerOf({ resolve: () => gate.promise }, { dialsPendingMax: 1 });
  const held = assert.rejects(dialer.dial(request('http', 1)), { code: 'origin_unreachable' });
  await assert.rejects(dialer.dial(request('http', 1)), {
    code: 'limit_exceeded',
    message: /dialsPendingMax/,
  });
  const other = assert.rejects(dialer.dial(request('http', 1, { principalId: 'bob' })), {
    code: 'origin_unreachable',
  });
  gate.resolve(['127.0.0.1']);
  await Promise.all([held, other]);
  await assert.rejects(dialer.dial(request('http', 1)), { code: 'origin_unreachable' });
});

test('a rule with a certificate that cannot be read is told as a fault of the configuration', async (t) => {
  const port = await listen(t, createServer());
  const tls = { cert: 'nonsense', key: 'nonsense' };
  await assert.rejects(dialerOf(resolverOf(['127.0.0.1'])).dial(request('https', port, { tls })), {
    code: 'config_invalid',
  });
});

test('a chain of names is judged by the addresses at its end, however long it is', async (t) => {
  let connections = 0;
  const port = await listen(
    t,
    createServer(() => connections++),
  );
  const chains: Readonly<Record<string, DnsReply>> = {
    'private.test': {
      ttl: 60,
      addresses: ['127.0.0.1'],
      cname: ['www.provider.test', 'redis.internal.test'],
    },
    'metadata.test': { ttl: 60, addresses: ['169.254.169.254'], cname: 'instance-data.test' },
    // Back to the name that was asked for, with a public address and one that is not.
    'mixed.test': { ttl: 60, addresses: ['203.0.113.1', '127.0.0.1'], cname: ['a.test', 'b.test'] },
  };
  await using dns = await startDnsServer((name) => chains[name] ?? 'nxdomain');
  using resolver = createResolver({ limits: defaultLimits, servers: [dns.server], hostsFile: false });
  const dialer = dialerOf(resolver);
  for (const host of Object.keys(chains)) {
    const destination = { scheme: 'http', host, port } as const;
    await assert.rejects(
      dialer.dial({ destination, addresses: [], principalId: 'p' }),
      { code: 'address_denied', message: new RegExp(`^The name ${host}`) },
      host,
    );
  }
  // Metadata stays closed whatever the rule opens.
  const opened = { addresses: ['127.0.0.0/8', '169.254.0.0/16'], principalId: 'p' };
  await assert.rejects(
    dialer.dial({ destination: { scheme: 'http', host: 'metadata.test', port }, ...opened }),
    { code: 'address_denied' },
  );
  assert.equal(connections, 0);
  await withSocket(
    dialer.dial({ destination: { scheme: 'http', host: 'private.test', port }, ...opened }),
    async ({ address, aliases }) => {
      await waitUntil('both names are known', () => aliases?.().length === 2);
      assert.deepEqual([address, aliases?.()], ['127.0.0.1', ['www.provider.test', 'redis.internal.test']]);
    },
  );
  const denied = dialer.dial({
    destination: { scheme: 'http', host: 'metadata.test', port },
    addresses: [],
    principalId: 'p',
  });
  await assert.rejects(denied, ({ cause }: ProxyError) => {
    assert.match(
      String(cause),
      /^Error: 169\.254\.169\.254: .*; metadata\.test leads to instance-data\.test$/,
    );
    return true;
  });
});

test('a connection waits for no name behind its host', async (t) => {
  const port = await listen(t, createServer());
  const { promise: asked, resolve: respond } = Promise.withResolvers<readonly string[]>();
  const dialer = dialerOf({ ...resolverOf(['127.0.0.1']), aliases: () => asked });
  await withSocket(dialer.dial(request('tcp', port)), async ({ aliases }) => {
    assert.deepEqual(aliases?.(), []);
    respond(['late.test']);
    await asked;
    assert.deepEqual(aliases?.(), ['late.test']);
  });
});
