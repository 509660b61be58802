import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { describe, test } from 'node:test';
import * as v8 from 'node:v8';
import { startRelay } from '../../../src/agent/relay/relay.ts';
import type { TunnelStream } from '../../../src/net/tunnel-stream.ts';
import { ProxyHeadReader } from '../../../src/http/proxy-head-reader.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { readAll } from '../../net/tunnel-pair.ts';
import { resourceBaseline, resourcesSettled } from '../../support/resources.ts';
import { closedOf, RelayClient, type RelayFixture, relayFixture } from '../support/relay-fixture.ts';

const isBun = process.versions['bun'] !== undefined;

async function connected(fixture: RelayFixture, behind = '') {
  const client = new RelayClient(fixture.relay.port);
  await client.tunnelTo('origin.test:443', behind);
  return { client, stream: await fixture.nextStream() };
}

describe('CONNECT', () => {
  test('opens a raw stream to the authority and gets a response at once', async () => {
    await using fixture = await relayFixture();
    const { client, stream } = await connected(fixture);
    assert.deepEqual(stream.fields, { authority: 'origin.test:443', mode: 'raw' });
    client.socket.destroy();
  });

  for (const [target, authority] of [
    ['Origin.Test:443', 'origin.test:443'],
    ['192.0.2.7:8443', '192.0.2.7:8443'],
    ['[2001:DB8::1]:443', '[2001:db8::1]:443'],
    ['origin.test.:443', 'origin.test:443'],
  ] as const) {
    test(`to ${target} names ${authority}`, async () => {
      await using fixture = await relayFixture();
      const client = new RelayClient(fixture.relay.port);
      await client.tunnelTo(target);
      assert.equal((await fixture.nextStream()).fields.authority, authority);
      client.socket.destroy();
    });
  }

  test('reaches the relay over IPv6 too', async (t) => {
    await using fixture = await relayFixture();
    if (!fixture.relay.hosts.includes('::1')) return t.skip('this machine has no ::1');
    const client = new RelayClient(fixture.relay.port, '::1');
    await client.tunnelTo('origin.test:443');
    client.socket.destroy();
  });

  test('loses no byte that came behind its head in the same packet', async () => {
    await using fixture = await relayFixture();
    const { client, stream } = await connected(fixture, 'first');
    client.socket.end(' second');
    assert.equal((await readAll(stream)).toString(), 'first second');
    client.socket.destroy();
  });

  test('may arrive byte by byte', async () => {
    await using fixture = await relayFixture();
    const client = new RelayClient(fixture.relay.port);
    client.socket.setNoDelay(true);
    for (const byte of 'CONNECT origin.test:443 HTTP/1.0\r\nHost: x\r\n\r\nhi') {
      client.socket.write(byte);
      await new Promise(setImmediate);
    }
    const stream = await fixture.nextStream();
    const [first] = (await once(stream, 'data')) as [Buffer];
    assert.match(first.toString(), /^hi?/);
    client.socket.destroy();
  });

  test('keeps nothing of a head that was read', { skip: isBun && 'Bun does not count objects' }, async () => {
    await using fixture = await relayFixture();
    const { client, stream } = await connected(fixture, 'first');
    await once(stream, 'data');
    assert.equal(v8.queryObjects(ProxyHeadReader), 0);
    client.socket.destroy();
  });
});

describe('what is not CONNECT', () => {
  test('in absolute form goes to the gateway whole, from its first byte', async () => {
    await using fixture = await relayFixture();
    const client = new RelayClient(fixture.relay.port);
    const request =
      'POST http://origin.test/x HTTP/1.1\r\nHost: origin.test\r\nContent-Length: 4\r\n\r\nbody';
    client.socket.write(request);
    const stream = await fixture.nextStream();
    assert.deepEqual(stream.fields, { authority: '', mode: 'proxy' });
    stream.end('HTTP/1.1 204 No Content\r\n\r\n');
    client.socket.end();
    assert.equal((await readAll(stream)).toString(), request);
    assert.equal(await client.ending(), 'end');
    assert.equal(client.text, 'HTTP/1.1 204 No Content\r\n\r\n');
  });

  const refused: readonly (readonly [name: string, text: string, code: string])[] = [
    ['TLS', '\x16\x03\x01\x00\xa5\x01\x00', 'request_malformed'],
    ['SOCKS4', '\x04\x01\x00', 'request_malformed'],
    ['nonsense', 'hello there\r\n\r\n', 'request_malformed'],
    ['a bare line feed', 'CONNECT a.test:443 HTTP/1.1\nHost: a\n\n', 'request_malformed'],
    ['no port', 'CONNECT a.test HTTP/1.1\r\n\r\n', 'authority_malformed'],
    ['a user in the authority', 'CONNECT user@a.test:443 HTTP/1.1\r\n\r\n', 'authority_malformed'],
    ['a host of 2000 bytes', `CONNECT ${'a.'.repeat(1000)}test:443 HTTP/1.1\r\n\r\n`, 'authority_malformed'],
  ];
  for (const [name, text, code] of refused) {
    test(`${name} gets a response with 400 and the reason`, async () => {
      await using fixture = await relayFixture();
      const client = new RelayClient(fixture.relay.port);
      client.socket.write(Buffer.from(text, 'latin1'));
      assert.equal(await client.ending(), 'end');
      assert.match(client.text, /^HTTP\/1\.1 400 Bad Request\r\n/);
      assert.match(client.text, new RegExp(`X-Deny-Reason: ${code}\\r\\n`));
      assert.match(client.text, /\r\n\r\nupstreamproxy: .+\nreason: /);
      client.socket.end();
    });
  }

  test('a head over the limit is refused', async () => {
    await using fixture = await relayFixture();
    const client = new RelayClient(fixture.relay.port);
    client.socket.write(`CONNECT a.test:443 HTTP/1.1\r\nX: ${'x'.repeat(20_000)}`);
    assert.equal(await client.ending(), 'end');
    assert.match(client.text, /X-Deny-Reason: head_too_large/);
    client.socket.end();
  });

  test('a head that does not end in time gets a response with 408', async () => {
    await using fixture = await relayFixture({ headTimeoutMs: 40 });
    const client = new RelayClient(fixture.relay.port);
    client.socket.write('CONNECT a.test:443 HTTP/1.1\r\n');
    assert.equal(await client.ending(), 'end');
    assert.match(client.text, /^HTTP\/1\.1 408 /);
    client.socket.end();
  });

  test('a client that ends without a request is closed', async () => {
    await using fixture = await relayFixture();
    const client = new RelayClient(fixture.relay.port);
    client.socket.end();
    await client.closed();
    assert.equal(client.text, '');
  });
});

describe('without a tunnel', () => {
  test('a connection gets a response with 503 and why', async () => {
    await using fixture = await relayFixture();
    fixture.down = new ProxyError('session_revoked', 'the session was revoked');
    const client = new RelayClient(fixture.relay.port);
    client.socket.write('CONNECT a.test:443 HTTP/1.1\r\n\r\n');
    assert.equal(await client.ending(), 'end');
    assert.match(client.text, /^HTTP\/1\.1 503 Service Unavailable\r\n/);
    assert.match(client.text, /X-Deny-Reason: session_revoked/);
    client.socket.end();
  });
});

describe('how a connection ends', () => {
  test("the client's end is an end, and the response still arrives", async () => {
    await using fixture = await relayFixture();
    const { client, stream } = await connected(fixture);
    client.socket.end('question');
    assert.equal((await readAll(stream)).toString(), 'question');
    stream.end('response');
    assert.equal(await client.ending(), 'end');
    assert.match(client.text, /response$/);
    await client.closed();
  });

  test("the origin's end is an end, and the client can still send", async () => {
    await using fixture = await relayFixture();
    const { client, stream } = await connected(fixture);
    stream.end('response');
    assert.equal(await client.ending(), 'end');
    client.socket.end('late question');
    assert.equal((await readAll(stream)).toString(), 'late question');
    await client.closed();
  });

  test('a reset of the stream resets the client: a cut response never looks complete', async () => {
    await using fixture = await relayFixture();
    const { client, stream } = await connected(fixture, 'GET / HTTP/1.0\r\n\r\n');
    stream.write('HTTP/1.0 200 OK\r\n\r\nhalf of the fi');
    await client.received('half of the fi');
    stream.reset(new ProxyError('origin_truncated', 'the origin ended early'));
    assert.equal(await client.ending(), 'ECONNRESET');
  });

  test('what comes with a reset reaches the client before it: the alert of a handshake that fails', async () => {
    await using fixture = await relayFixture();
    const { client, stream } = await connected(fixture);
    stream.write('the alert');
    stream.reset(new ProxyError('tls_handshake', 'no common protocol'));
    await client.received('the alert');
    assert.equal(await client.ending(), 'ECONNRESET');
  });

  test('a refused stream resets the client', async () => {
    await using fixture = await relayFixture();
    const { client, stream } = await connected(fixture);
    stream.refuse(new ProxyError('policy_denied', 'no'));
    assert.equal(await client.ending(), 'ECONNRESET');
  });

  test('a reset after the end of the response lets the response arrive whole', async () => {
    await using fixture = await relayFixture();
    const { client, stream } = await connected(fixture);
    stream.end('x'.repeat(200_000));
    await once(stream, 'finish');
    stream.reset(new ProxyError('cancelled', 'not interested in the rest of the request'));
    assert.equal(await client.ending(), 'end');
    assert.equal(client.text.length, 'HTTP/1.1 200 Connection established\r\n\r\n'.length + 200_000);
    client.socket.end();
    await client.closed();
  });

  test('a slow reader gets the whole response too, when the stream is gone before it has read', async () => {
    const response = Buffer.alloc(8_000_000);
    const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    stream.push(response);
    stream.push(null);
    // The relay uses no more of a tunnel's stream than this.
    const openStream = (): TunnelStream =>
      Object.assign(stream, { reset: () => {} }) as unknown as TunnelStream;
    const tunnel = { isUp: true, whenUp: () => Promise.resolve(), openStream };
    const limits = { ...defaultLimits, lingerTimeoutMs: 10 };
    await using relay = await startRelay({ tunnel, limits });
    const client = new RelayClient(relay.port);
    client.socket.once('data', () => client.socket.pause());
    client.socket.write('CONNECT origin.test:443 HTTP/1.1\r\n\r\n');
    await once(stream, 'end');
    stream.destroy();
    await new Promise((resolve) => setTimeout(resolve, 100));
    client.socket.resume();
    assert.equal(await client.ending(), 'end');
    assert.equal(client.text.length, 'HTTP/1.1 200 Connection established\r\n\r\n'.length + response.length);
    client.socket.end();
    await client.closed();
  });

  test('a reset of the client resets the stream', async () => {
    await using fixture = await relayFixture();
    const { client, stream } = await connected(fixture);
    const failed = once(stream, 'error');
    client.socket.resetAndDestroy();
    const [error] = (await failed) as [ProxyError];
    assert.equal(error.code, 'cancelled');
  });

  test('a client that closes in the middle of a response resets the stream', async () => {
    await using fixture = await relayFixture();
    const { client, stream } = await connected(fixture);
    // As whoever is at the far end does: a socket of Bun ends before it resets, and an end is read before what follows it.
    stream.resume();
    stream.write(Buffer.alloc(5_000_000));
    await client.received('\0');
    client.socket.destroy();
    await closedOf(stream);
    assert.ok(!stream.writableFinished);
    const reset = process.versions['bun'] === undefined ? stream : fixture.opened[0];
    assert.ok(reset !== undefined);
    assert.equal((reset.errored as ProxyError).code, 'cancelled');
  });

  test('a connection without a byte for the idle time is reset on both sides', async () => {
    await using fixture = await relayFixture({ idleTimeoutMs: 50 });
    const { client, stream } = await connected(fixture);
    const failed = once(stream, 'error');
    assert.equal(await client.ending(), 'ECONNRESET');
    assert.equal(((await failed) as [ProxyError])[0].code, 'timeout');
  });

  test('a connection whose tunnel has no link is not idle', async () => {
    await using fixture = await relayFixture({ idleTimeoutMs: 300 });
    const { client, stream } = await connected(fixture);
    let asked = 0;
    // Of the stream of a tunnel: while it is away, and not any more at the third time.
    Object.defineProperty(fixture.opened[0], 'absence', {
      value: { since: (fromMs: number) => ((asked += 1) < 3 ? performance.now() - fromMs : 0) },
    });
    stream.on('error', () => undefined);
    assert.equal(await client.ending(), 'ECONNRESET');
    assert.equal(asked, 3);
  });

  test('many connections that end in every way leave nothing open', async () => {
    const baseline = resourceBaseline();
    {
      await using fixture = await relayFixture();
      for (let i = 0; i < 30; i++) {
        const { client, stream } = await connected(fixture, 'x');
        if (i % 3 === 0) client.socket.resetAndDestroy();
        else if (i % 3 === 1) stream.reset(new ProxyError('cancelled', 'no'));
        else {
          stream.resume().end('bye');
          client.socket.end();
        }
        await client.closed();
      }
      assert.equal(fixture.relay.connectionCount, 0);
    }
    await resourcesSettled(baseline);
  });
});

describe('backpressure', () => {
  test('a client that does not read stops the origin within the window', async () => {
    await using fixture = await relayFixture();
    const { client, stream } = await connected(fixture);
    client.socket.pause();
    const block = Buffer.alloc(256 * 1024);
    let written = 0;
    // Until nothing moves any more: what is taken is bounded by windows and the kernel's buffers.
    for (let turns = 0; turns < 400; turns++) {
      while (stream.writableLength < block.length * 2) {
        stream.write(block);
        written += block.length;
      }
      await new Promise(setImmediate);
    }
    assert.ok(written < 40 * 1024 * 1024, `${written} bytes were taken without a reader`);
    client.socket.destroy();
  });

  test('both directions carry megabytes unchanged', async () => {
    await using fixture = await relayFixture();
    const { client, stream } = await connected(fixture);
    const bytes = Buffer.alloc(3_000_000, 'pattern-of-eleven');
    stream.pipe(stream);
    client.socket.end(bytes);
    assert.equal(await client.ending(), 'end');
    assert.ok(Buffer.from(client.text, 'latin1').subarray(-bytes.length).equals(bytes));
  });
});

describe('the address at which libraries of clouds ask', () => {
  async function asked(request: string, pieces = 1): Promise<string> {
    await using fixture = await relayFixture();
    const client = new RelayClient(fixture.relay.port);
    client.socket.setNoDelay(true);
    const size = Math.ceil(request.length / pieces);
    for (let at = 0; at < request.length; at += size) {
      client.socket.write(request.slice(at, at + size));
      await new Promise(setImmediate);
    }
    client.socket.end();
    const stream = await fixture.nextStream();
    assert.deepEqual(stream.fields, { authority: '', mode: 'proxy' });
    const sent = (await readAll(stream)).toString();
    client.socket.destroy();
    return sent;
  }

  test('is served by the gateway: the request goes on as a proxy takes it, and the connection ends with it', async () => {
    const request = (lines: string): string =>
      `GET /identity/aws/credentials?a=b HTTP/1.1\r\nHost: 127.0.0.1:1\r\n${lines}\r\n`;
    const head =
      'GET http://upstreamproxy.invalid/identity/aws/credentials?a=b HTTP/1.1\r\nHost: upstreamproxy.invalid\r\nConnection: close\r\n';
    for (const pieces of [1, 7, 200]) {
      const sent = await asked(request('connection: keep-alive\r\nAuthorization: token\r\n'), pieces);
      assert.equal(sent, `${head}Authorization: token\r\n\r\n`);
    }
    assert.equal(await asked(`${request('Content-Length: 2\r\n')}ab`), `${head}Content-Length: 2\r\n\r\nab`);
  });

  test('is no other path: what no proxy takes goes to the gateway as it came', async () => {
    for (const target of ['/identity', '/other/identity/', 'http://upstreamproxy.invalid/identity/aws']) {
      const request = `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
      assert.equal(await asked(request), request);
    }
  });
});
