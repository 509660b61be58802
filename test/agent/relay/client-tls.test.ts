import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { after, describe, test } from 'node:test';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { ClientTls } from '../../../src/agent/relay/client-tls.ts';
import type { TunnelStream } from '../../../src/net/tunnel-stream.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import type { PlainMode } from '../../../src/protocol/frame.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { readAll } from '../../net/tunnel-pair.ts';
import { resourceBaseline, resourcesSettled } from '../../support/resources.ts';
import { closedOf, RelayClient, type RelayFixture, relayFixture } from '../support/relay-fixture.ts';

const clientTls = new ClientTls({ limits: defaultLimits, gatewayHost: 'gateway.test' });
after(() => clientTls[Symbol.dispose]());
const both: readonly PlainMode[] = ['http1', 'http2'];
const authority = 'origin.test:443';

function fixtureOf(modes: (authority: string) => readonly PlainMode[] = () => both) {
  return relayFixture({}, undefined, { client: clientTls, modes });
}

async function through(port: number, to = authority): Promise<Socket> {
  const socket = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => undefined);
  socket.write(`CONNECT ${to} HTTP/1.1\r\nHost: ${to}\r\n\r\n`);
  const [head] = (await once(socket, 'data')) as [Buffer];
  assert.match(String(head), /^HTTP\/1.1 200 .*\r\n\r\n$/);
  return socket;
}

/** A client that trusts the session's root alone; not yet through its handshake. */
function securing(socket: Duplex, options: ConnectionOptions = {}): TLSSocket {
  const tls = connectTls({
    socket,
    servername: 'origin.test',
    ca: clientTls.rootPem,
    ...options,
  });
  tls.on('error', () => undefined);
  return tls;
}

async function secured(
  port: number,
  options: ConnectionOptions = {},
): Promise<{ tls: TLSSocket; socket: Socket }> {
  const socket = await through(port);
  const tls = securing(socket, options);
  await once(tls, 'secureConnect');
  return { tls, socket };
}

/** What a client gets, and whether its end was one of TLS. */
async function reading(tls: TLSSocket): Promise<{ text: string; ended: boolean; error: string | undefined }> {
  const chunks: Buffer[] = [];
  let ended = false;
  let error: string | undefined;
  tls.on('data', (chunk: Buffer) => chunks.push(chunk));
  tls.once('end', () => {
    ended = true;
    tls.end();
  });
  tls.once('error', (one: NodeJS.ErrnoException) => (error = one.code));
  await closedOf(tls);
  return { text: Buffer.concat(chunks).toString('latin1'), ended, error };
}

/** A ClientHello without extensions: of SSL 3.0, TLS 1.0 or 1.1. */
function oldHello(minor: number): Buffer {
  const body = Buffer.from(`03${`0${minor}`}${'00'.repeat(32)}00${'0002002f'}${'0100'}`, 'hex');
  const head = Buffer.from([0x16, 3, minor, 0, body.length + 4, 1, 0, 0, body.length]);
  return Buffer.concat([head, body]);
}

describe('TLS of a client', () => {
  test('ends in the agent, and the gateway gets the plaintext with what was claimed', async () => {
    await using fixture = await fixtureOf();
    for (const [ALPNProtocols, expected] of [
      [undefined, { mode: 'http1' }],
      [['http/1.1'], { mode: 'http1', alpn: 'http/1.1', alpnOffer: 'http/1.1' }],
      [['h2', 'http/1.1'], { mode: 'http2', alpn: 'h2', alpnOffer: 'h2 http/1.1' }],
      [['http/1.1', 'acme', 'h2'], { mode: 'http2', alpn: 'h2', alpnOffer: 'http/1.1 h2' }],
    ] as const) {
      const options = ALPNProtocols === undefined ? {} : { ALPNProtocols: [...ALPNProtocols] };
      const { tls } = await secured(fixture.relay.port, options);
      const stream = await fixture.nextStream();
      assert.deepEqual(stream.fields, { authority, sni: 'origin.test', tlsVersion: 'TLSv1.3', ...expected });
      tls.end('plain text');
      assert.equal(String(await readAll(stream)), 'plain text');
      stream.end('response');
      assert.deepEqual(await reading(tls), { text: 'response', ended: true, error: undefined });
    }
  });

  test('of version 1.2 ends there too, and says so; an older one is left to the gateway', async () => {
    await using fixture = await fixtureOf();
    const { tls } = await secured(fixture.relay.port, { maxVersion: 'TLSv1.2' });
    assert.equal((await fixture.nextStream()).fields.tlsVersion, 'TLSv1.2');
    tls.destroy();
    for (const minor of [0, 1, 2]) {
      const hello = oldHello(minor);
      const socket = await through(fixture.relay.port);
      socket.write(hello);
      const stream = await fixture.nextStream();
      assert.deepEqual(stream.fields, { authority, mode: 'raw' });
      assert.deepEqual(((await once(stream, 'data')) as [Buffer])[0], hello);
      stream.destroy();
    }
  });

  test('without a server name ends for the name of CONNECT', async () => {
    await using fixture = await fixtureOf();
    const socket = await through(fixture.relay.port, '192.0.2.7:443');
    const tls = connectTls({ socket, ca: clientTls.rootPem, host: '192.0.2.7' });
    await once(tls, 'secureConnect');
    const { fields } = await fixture.nextStream();
    assert.deepEqual(fields, { authority: '192.0.2.7:443', mode: 'http1', tlsVersion: 'TLSv1.3' });
    tls.destroy();
  });

  test('is captured in the same way', async () => {
    const { serveCapturedConnection } = await import('../../../src/agent/relay/relay-connection.ts');
    const { createServer } = await import('node:net');
    await using fixture = await fixtureOf();
    const opened = Promise.withResolvers<string>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      serveCapturedConnection(
        socket,
        { host: 'origin.test', port: 443 },
        {
          tunnel: {
            isUp: true,
            whenUp: async () => undefined,
            plainModes: () => both,
            openStream: (fields) => {
              opened.resolve(fields.mode);
              throw new ProxyError('tunnel_lost', 'that is enough');
            },
          },
          limits: defaultLimits,
          logger: { info: () => undefined, warn: () => undefined },
          clientTls,
        },
      );
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    const tls = securing(connectTcp(address.port, '127.0.0.1'));
    assert.equal(await opened.promise, 'http1');
    await closedOf(tls);
    server.close();
    assert.ok(fixture.relay.port > 0);
  });
});

describe('what is left to the gateway as it came', () => {
  const cases: readonly (readonly [string, (port: number) => Promise<void>, RegExp])[] = [
    [
      'another name in SNI',
      async (port) => void securing(await through(port), { servername: 'evil.test' }),
      /evil\.test/,
    ],
    [
      'only protocols that nobody serves',
      async (port) => void securing(await through(port), { ALPNProtocols: ['acme'] }),
      /acme/,
    ],
    [
      'cleartext HTTP',
      async (port) => void (await through(port)).end('GET / HTTP/1.1\r\n\r\n'),
      /^GET \/ HTTP/,
    ],
    [
      'HTTP/2 with prior knowledge',
      async (port) => void (await through(port)).end('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      /^PRI/,
    ],
    ['any other bytes', async (port) => void (await through(port)).end('\0\0\0\x08\x04\xd2\x16/'), /\//],
    [
      'a malformed ClientHello',
      async (port) => void (await through(port)).end(Buffer.from('16030100050200000100', 'hex')),
      /^../,
    ],
    ['the end of a client that said nothing', async (port) => void (await through(port)).end(), /^$/],
  ];
  for (const [name, act, expected] of cases) {
    test(name, async () => {
      await using fixture = await fixtureOf();
      await act(fixture.relay.port);
      const stream = await fixture.nextStream();
      assert.deepEqual(stream.fields, { authority, mode: 'raw' });
      const got =
        expected.source === '^$' ? await readAll(stream) : ((await once(stream, 'data')) as [Buffer])[0];
      assert.match(got.toString('latin1'), expected);
      stream.destroy();
    });
  }

  test('a host that the tunnel takes no plaintext for, asked again when the bytes are there', async () => {
    let asked = 0;
    await using fixture = await fixtureOf(() => ((asked += 1) === 1 ? both : []));
    securing(await through(fixture.relay.port));
    const stream = await fixture.nextStream();
    assert.deepEqual([stream.fields.mode, asked], ['raw', 2]);
    stream.destroy();
  });

  test('the gateway itself', async () => {
    await using fixture = await fixtureOf();
    securing(await through(fixture.relay.port, 'gateway.test:443'), { servername: 'gateway.test' });
    const stream = await fixture.nextStream();
    assert.equal(stream.fields.mode, 'raw');
    stream.destroy();
  });

  test('new names above the rate of certificates', async () => {
    const slow = new ClientTls({ limits: { ...defaultLimits, leavesPerSecondMax: 1 }, gatewayHost: '' });
    await using fixture = await relayFixture({}, undefined, { client: slow, modes: () => both });
    const modes: string[] = [];
    for (const host of ['a.test', 'b.test', 'c.test']) {
      securing(await through(fixture.relay.port, `${host}:443`), { servername: host, ca: slow.rootPem });
      const stream = await fixture.nextStream();
      modes.push(stream.fields.mode);
      stream.destroy();
    }
    assert.equal(modes[0], 'http1');
    assert.ok(modes.includes('raw'), modes.join());
    slow[Symbol.dispose]();
  });
});

test('a failed handshake is told to the gateway by a stream that is reset with the reason, in a mode that the tunnel takes', async () => {
  for (const [modes, claims] of [
    [both, { mode: 'http1' }],
    [['http1'], { mode: 'http1' }],
    [['http2'], { mode: 'http2', alpn: 'h2' }],
  ] as const)
    await failsHandshake(modes, claims);
});

async function failsHandshake(modes: readonly PlainMode[], claims: object): Promise<void> {
  await using fixture = await fixtureOf(() => modes);
  securing(await through(fixture.relay.port), { ca: [], ALPNProtocols: ['h2', 'http/1.1'] });
  const stream = await fixture.nextStream();
  assert.deepEqual(stream.fields, { authority, sni: 'origin.test', ...claims });
  await closedOf(stream);
  assert.equal(stream.streamError?.code, 'tls_handshake');
  assert.match(stream.streamError.message, /^origin\.test: (?:the TLS handshake failed|the client closed)/);
}

test('a client whose TLS was ended for a link that is gone waits until the next one has agreed', async () => {
  let asked = 0;
  let isAgreed = false;
  await using fixture = await fixtureOf(() => {
    asked += 1;
    return asked <= 2 || isAgreed ? both : [];
  });
  fixture.whenAgreed = () => {
    isAgreed = true;
    return Promise.resolve();
  };
  const tls = securing(await through(fixture.relay.port), {});
  tls.write('GET / HTTP/1.1\r\n\r\n');
  const stream = await fixture.nextStream();
  assert.deepEqual([stream.fields.mode, isAgreed], ['http1', true]);
  stream.destroy();
});

const silentOnBrokenTls =
  process.versions['bun'] === undefined
    ? false
    : 'Bun says nothing of it: the connection ends by idleTimeoutMs';

test(
  'TLS that breaks while the tunnel makes room for another one is told once there is a stream',
  { skip: silentOnBrokenTls },
  async () => {
    let asked = 0;
    let isAgreed = false;
    const waits = Promise.withResolvers<void>();
    const agreed = Promise.withResolvers<void>();
    await using fixture = await fixtureOf(() => {
      asked += 1;
      return asked <= 2 || isAgreed ? both : [];
    });
    fixture.whenAgreed = () => {
      waits.resolve();
      return agreed.promise;
    };
    const socket = await through(fixture.relay.port);
    // Between the client's TLS and its connection, so that the test can write past TLS.
    const below = new Duplex({
      read() {},
      write: (chunk: Buffer, _encoding, callback) => void socket.write(chunk, callback),
    });
    socket.on('data', (chunk: Buffer) => below.push(chunk));
    const tls = securing(below);
    tls.on('error', () => {});
    await Promise.all([waits.promise, once(tls, 'secureConnect')]);
    // A record that no key opens; the alert of it comes back.
    socket.write(Buffer.from([0x17, 3, 3, 0, 32, ...Array<number>(32).fill(7)]));
    await once(socket, 'data');
    isAgreed = true;
    agreed.resolve();
    const stream = await fixture.nextStream();
    await closedOf(stream);
    assert.equal(stream.streamError?.code, 'tls_handshake');
    tls.destroy();
    socket.destroy();
  },
);

describe('a link that came while the handshake went on, and takes no plaintext,', () => {
  for (const [name, options] of [
    ['gets nothing of a client whose TLS was ended: it is reset', {}],
    ['is not told of a handshake that failed', { ca: [] as string[] }],
  ] as const)
    test(name, async () => {
      let asked = 0;
      const third = Promise.withResolvers<string>();
      await using fixture = await fixtureOf((to) => {
        if (to !== authority) return [];
        asked += 1;
        if (asked === 3) third.resolve('asked again');
        return asked <= 2 ? both : [];
      });
      const tls = securing(await through(fixture.relay.port), { ...options });
      tls.write('GET /secret HTTP/1.1\r\n\r\n');
      const read = reading(tls);
      const first = fixture.nextStream();
      assert.equal(
        await Promise.race([third.promise, first.then(({ fields }) => fields.mode)]),
        'asked again',
      );
      // Once more after it had its moment to agree.
      assert.deepEqual([(await read).ended, asked], [false, 4]);
      // The first stream that the far end sees is that of the next client.
      const next = await through(fixture.relay.port, 'next.test:443');
      assert.deepEqual((await first).fields, { authority: 'next.test:443', mode: 'raw' });
      next.destroy();
    });
});

async function pair(port: number, next: () => Promise<TunnelStream>) {
  const { tls, socket } = await secured(port);
  return { tls, socket, stream: await next() };
}

/** Writes as much as is taken, until it is all. */
function writeAll(stream: Duplex, bytes: number): { readonly taken: number } {
  const piece = Buffer.alloc(64 * 1024, 'p');
  const progress = { taken: 0 };
  const more = (): void => {
    while (progress.taken < bytes) {
      progress.taken += piece.length;
      if (!stream.write(piece)) return void stream.once('drain', more);
    }
    stream.end();
  };
  more();
  return progress;
}

/** Where a count comes to stand: nothing moves it while another connection of the same relay goes to and fro. */
async function standsAt(fixture: RelayFixture, count: () => number): Promise<number> {
  const other = await pair(fixture.relay.port, () => fixture.nextStream());
  other.stream.pipe(other.stream);
  for (let still = 0, before = -1; still < 30; still = count() === before ? still + 1 : 0) {
    before = count();
    other.tls.write('x');
    await once(other.tls, 'data');
  }
  other.socket.destroy();
  return count();
}

describe('an end is an end, and a reset a reset', () => {
  test('a reset before the end of the response sends no close_notify and resets TCP', async () => {
    await using fixture = await fixtureOf();
    const { tls, socket, stream } = await pair(fixture.relay.port, () => fixture.nextStream());
    // Node hides the error of the connection below from the TLS socket that reads.
    const below = new Promise<string>((resolve) =>
      socket.once('error', (e: NodeJS.ErrnoException) => resolve(e.code ?? '')),
    );
    const read = reading(tls);
    stream.write('half of it');
    await once(tls, 'data');
    stream.reset(new ProxyError('stream_reset', 'cut'));
    const { ended, text, error } = await read;
    assert.deepEqual([text, ended], ['half of it', false]);
    assert.match(error ?? (await below), /^ECONNRESET$/);
  });

  test('a reset behind the end lets the response arrive whole', async () => {
    await using fixture = await fixtureOf();
    const { tls, stream } = await pair(fixture.relay.port, () => fixture.nextStream());
    const body = 'x'.repeat(300_000);
    stream.end(body);
    stream.once('finish', () => stream.reset(new ProxyError('cancelled', 'no more')));
    const { text, ended } = await reading(tls);
    assert.deepEqual([text.length, ended], [body.length, true]);
  });

  test("the client's end is an end, and the response still arrives", async () => {
    await using fixture = await fixtureOf();
    const { tls, stream } = await pair(fixture.relay.port, () => fixture.nextStream());
    const read = reading(tls);
    tls.end('all of it');
    assert.equal(String(await readAll(stream)), 'all of it');
    stream.end('and the response');
    assert.equal((await read).text, 'and the response');
  });

  test('a client that resets resets the stream', async () => {
    await using fixture = await fixtureOf();
    const { socket, stream } = await pair(fixture.relay.port, () => fixture.nextStream());
    const error = once(stream, 'error');
    socket.resetAndDestroy();
    assert.equal(((await error) as [ProxyError])[0].code, 'cancelled');
  });

  test('the end of a connection without that of its TLS is an end, as the runtimes have it: requests say themselves where they end', async () => {
    await using fixture = await fixtureOf();
    const { tls, socket, stream } = await pair(fixture.relay.port, () => fixture.nextStream());
    const read = reading(tls);
    tls.write('all that came', () => socket.end());
    assert.equal(String(await readAll(stream)), 'all that came');
    assert.equal(stream.streamError, undefined);
    stream.end('response');
    assert.equal((await read).text, 'response');
  });

  test('a client that does not read stops the origin, and gets all once it reads', async () => {
    await using fixture = await fixtureOf();
    const { tls, stream } = await pair(fixture.relay.port, () => fixture.nextStream());
    tls.pause();
    const bytes = 24 * 1024 * 1024;
    const writing = writeAll(stream, bytes);
    assert.ok((await standsAt(fixture, () => writing.taken)) < bytes);
    let got = 0;
    tls.on('data', (chunk: Buffer) => (got += chunk.length));
    tls.resume();
    await once(tls, 'end');
    assert.equal(got, bytes);
  });

  test('a gateway that does not read stops the client, and gets all once it reads', async () => {
    await using fixture = await fixtureOf();
    const { tls, stream } = await pair(fixture.relay.port, () => fixture.nextStream());
    const bytes = 24 * 1024 * 1024;
    const writing = writeAll(tls, bytes);
    assert.ok((await standsAt(fixture, () => writing.taken)) < bytes);
    let got = 0;
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) got += (chunk as Buffer).length;
    assert.equal(got, bytes);
    stream.end();
  });

  test('many connections that end in every way leave nothing open', async () => {
    const baseline = resourceBaseline();
    {
      await using fixture = await fixtureOf();
      for (let i = 0; i < 12; i++) {
        const { tls, socket, stream } = await pair(fixture.relay.port, () => fixture.nextStream());
        // Of a client that only closes, the far end ends the rest.
        stream.resume().once('end', () => stream.end());
        if (i % 4 === 0) socket.destroy();
        else if (i % 4 === 1) socket.resetAndDestroy();
        else if (i % 4 === 2) stream.reset(new ProxyError('stream_reset', 'cut'));
        else tls.resume().end();
        await closedOf(stream);
        socket.destroy();
      }
    }
    await resourcesSettled(baseline);
  });
});

test(
  'a client whose TLS breaks behind its handshake is reset, and its stream with it',
  {
    skip: silentOnBrokenTls,
  },
  async () => {
    await using fixture = await fixtureOf();
    const { tls } = await secured(fixture.relay.port, { maxVersion: 'TLSv1.2' });
    const stream = await fixture.nextStream();
    // It is refused, upon which this client ends its TLS with an alert.
    tls.resume().renegotiate({}, () => undefined);
    await Promise.all([closedOf(stream), closedOf(tls)]);
    assert.equal(stream.streamError?.code, 'tls_handshake');
  },
);

test('handshakes at once are served under their own names', async () => {
  await using fixture = await fixtureOf();
  const hosts = Array.from({ length: 20 }, (_, i) => `host-${String(i)}.test`);
  const clients = await Promise.all(
    hosts.map(async (host) => {
      const socket = await through(fixture.relay.port, `${host}:443`);
      const tls = securing(socket, { servername: host });
      await once(tls, 'secureConnect');
      tls.write(host);
      return tls;
    }),
  );
  for (const _ of hosts) {
    const stream = await fixture.nextStream();
    const [said] = (await once(stream, 'data')) as [Buffer];
    assert.equal(stream.fields.authority, `${String(said)}:443`);
    assert.equal(stream.fields.sni, String(said));
    stream.destroy();
  }
  for (const tls of clients) tls.destroy();
});

test('a client that sends its request with its hello in one packet loses no byte', async () => {
  await using fixture = await fixtureOf();
  const client = new RelayClient(fixture.relay.port);
  client.socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\nGET / HTTP/1.1\r\n\r\n`);
  const stream = await fixture.nextStream();
  assert.equal(stream.fields.mode, 'raw');
  assert.equal(String(((await once(stream, 'data')) as [Buffer])[0]), 'GET / HTTP/1.1\r\n\r\n');
  client.socket.destroy();
});
