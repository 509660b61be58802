import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { text } from 'node:stream/consumers';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';

import { patienceMs } from '../support/patience.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { httpsOrigin } from '../support/origin.ts';
import { get, sendRaw } from './support/raw-http.ts';
import { openRequestPath } from './support/request-path.ts';
import type { RequestPath, RequestPathOptions } from './support/request-path.ts';

const authority = createTestAuthority();
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

function frame(type: number, flags: number, streamId: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** HPACK literals without indexing of `:method GET`, `:scheme https`, `:path /hello`, `:authority`. */
function requestBlock(at: string): Buffer {
  const literal = (name: string, value: string): Buffer =>
    Buffer.concat([
      Buffer.of(0, name.length),
      Buffer.from(name),
      Buffer.of(value.length),
      Buffer.from(value),
    ]);
  return Buffer.concat([
    literal(':method', 'GET'),
    literal(':scheme', 'https'),
    literal(':path', '/hello'),
    literal(':authority', at),
  ]);
}

interface Scene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly at: string;
  readonly connections: () => number;
}

async function scene(limits: RequestPathOptions['limits'] = {}): Promise<Scene> {
  const origin = await httpsOrigin({ authority });
  const path = openRequestPath({
    policy: `rules:\n  - { name: allowed, hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8 }\n`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
    limits,
  });
  return {
    path,
    at: `allowed.test:${origin.port}`,
    connections: origin.connections,
    [Symbol.asyncDispose]: async () => {
      await path[Symbol.asyncDispose]();
      await origin.close();
    },
  };
}

/** Another principal, meanwhile: responded, whatever the attacker does. */
async function neighbourIsServed({ path, at }: Scene): Promise<void> {
  const response = await sendRaw(await path.tls(at, { principal: 'neighbour' }), get(at, '/hello'));
  assert.equal(response.status, 200);
}

/** The attacker's connection has one event, which names the limit that ended it. */
async function limitIsTold({ path }: Scene, code: string, limit: string): Promise<void> {
  const told = (await path.events(1)).filter(({ kind }) => kind === 'stream');
  assert.deepEqual(
    told.map((event) => [event.principal, event.errorCode, event.limit]),
    [['issuer|attacker', code, limit]],
  );
}

async function closed(socket: Duplex): Promise<void> {
  if (socket.destroyed || socket.readableEnded) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error('the connection was not closed')), patienceMs);
  socket.resume();
  // The gateway's end is what is asked for; a client that keeps its own side open is cut off later.
  socket.once('end', resolve);
  socket.once('close', resolve);
  // A reset is an end, too.
  socket.on('error', () => undefined);
  await promise;
  clearTimeout(timer);
}

for (const [what, fields] of [
  ['too large', [`X-Big: ${'x'.repeat(70_000)}`]],
  ['of too many fields', Array.from({ length: 300 }, (_, i) => `X-${i}: 1`)],
] as const) {
  test(`a request head ${what} gets a response 431 and nothing is dialled`, async () => {
    await using one = await scene();
    const response = await sendRaw(await one.path.tls(one.at), get(one.at, '/', ...fields));
    assert.equal(response.status, 431);
    assert.equal(response.headers.get('x-deny-reason'), 'head_too_large');
    assert.equal(one.connections(), 0);
    await neighbourIsServed(one);
  });
}

test('a head that trickles in is given up after its deadline', async () => {
  await using one = await scene({ headTimeoutMs: 1_000 });
  const socket = await one.path.tls(one.at);
  socket.write('GET / HTTP/1.1\r\nHost: ');
  await closed(socket);
  const [event] = await one.path.events(1);
  assert.equal(event?.errorCode, 'timeout');
  await neighbourIsServed(one);
});

test('a body that stops arriving is given up after the idle limit', async () => {
  await using one = await scene({ idleTimeoutMs: 1_000 });
  const socket = await one.path.tls(one.at);
  socket.write(`POST /sink HTTP/1.1\r\nHost: ${one.at}\r\nContent-Length: 1000\r\n\r\npart`);
  await closed(socket);
  const [event] = await one.path.events(1);
  assert.equal(event?.verdict, 'error');
  await neighbourIsServed(one);
});

/** Sends frames until the gateway closes the connection, bounded. */
async function flood(one: Scene, next: (i: number) => Buffer, count: number): Promise<void> {
  const socket = await one.path.tls(one.at, { alpn: ['h2'], principal: 'attacker' });
  socket.write(Buffer.concat([preface, frame(4, 0, 0)]));
  socket.resume();
  for (let i = 0; i < count && !socket.destroyed; i += 1) {
    if (!socket.write(next(i))) await new Promise((resolve) => setImmediate(resolve));
    if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await closed(socket);
}

test('rapid reset: streams opened and reset at once end the connection, and the neighbour is served', async () => {
  await using one = await scene();
  const block = requestBlock(one.at);
  await flood(
    one,
    (i) => Buffer.concat([frame(1, 0x5, i * 2 + 1, block), frame(3, 0, i * 2 + 1, Buffer.of(0, 0, 0, 8))]),
    20_000,
  );
  await limitIsTold(one, 'limit_exceeded', 'http2ResetsPerSecondMax');
  await neighbourIsServed(one);
});

test('CONTINUATION without end ends the connection', async () => {
  await using one = await scene();
  const junk = Buffer.concat(
    Array.from({ length: 400 }, () => Buffer.concat([Buffer.of(0, 1, 0x78, 30), Buffer.alloc(30, 0x79)])),
  );
  await flood(one, (i) => (i === 0 ? frame(1, 0, 1, requestBlock(one.at)) : frame(9, 0, 1, junk)), 5_000);
  await limitIsTold(one, 'head_too_large', 'headBytesMax');
  await neighbourIsServed(one);
});

for (const [what, fields] of [
  ['bytes', { 'x-big': 'y'.repeat(40_000), 'x-more': 'z'.repeat(40_000) }],
  ['number of fields', Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`x-${i}`, '1']))],
] as const) {
  test(`a head over HTTP/2 that is too large by its ${what} gets a response 431, and the audit names the limit`, async () => {
    await using one = await scene();
    const socket = await one.path.tls(one.at, { alpn: ['h2'], principal: 'attacker' });
    const session = connect(`https://${one.at}`, {
      createConnection: () => socket,
      maxSendHeaderBlockLength: 200_000,
    });
    const stream = session.request({ ':path': '/', ...fields });
    const [head] = (await once(stream, 'response')) as [Record<string, unknown>];
    assert.equal(head[':status'], 431);
    session.destroy();
    const [event] = await one.path.events(1);
    const limit = what === 'bytes' ? 'headBytesMax' : 'headersCountMax';
    assert.deepEqual([event?.errorCode, event?.limit], ['head_too_large', limit]);
    await neighbourIsServed(one);
  });
}

test('a header block far over the limit ends its stream, not the process', async () => {
  await using one = await scene();
  const socket = await one.path.tls(one.at, { alpn: ['h2'] });
  const session = connect(`https://${one.at}`, { createConnection: () => socket });
  session.on('error', () => undefined);
  const fields = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x-${i}`, '1']));
  await assert.rejects(text(session.request({ ':path': '/', ...fields })));
  session.destroy();
  await neighbourIsServed(one);
});

test('a head of a megabyte gets a response that can be read, and the audit names the limit', async () => {
  await using one = await scene();
  const socket = await one.path.tls(one.at, { principal: 'attacker' });
  const head = `GET / HTTP/1.1\r\nHost: ${one.at}\r\nX-Big: ${'y'.repeat(1_000_000)}\r\n\r\n`;
  const response = await sendRaw(socket, head);
  assert.equal(response.status, 431);
  assert.equal(response.headers.get('x-deny-reason'), 'head_too_large');
  const [event] = await one.path.events(1);
  assert.deepEqual([event?.status, event?.limit], [431, 'headBytesMax']);
  await neighbourIsServed(one);
});

for (const [what, next] of [
  ['SETTINGS', () => frame(4, 0, 0, Buffer.of(0, 3, 0, 0, 0, 100))],
  ['PING', () => frame(6, 0, 0, Buffer.alloc(8))],
] as const) {
  test(`a flood of ${what} ends the connection, read or not, and the neighbour is served`, async () => {
    for (const reads of [true, false]) {
      await using one = await scene();
      const socket = await one.path.tls(one.at, { alpn: ['h2'], principal: 'attacker' });
      socket.write(Buffer.concat([preface, frame(4, 0, 0)]));
      if (reads) socket.resume();
      else socket.pause();
      const before = process.memoryUsage().rss;
      for (let i = 0; i < 200 && !socket.destroyed; i += 1) {
        socket.write(Buffer.concat(Array.from({ length: 500 }, next)));
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.ok(process.memoryUsage().rss - before < 200 * 1024 * 1024);
      await closed(socket);
      await limitIsTold(one, 'limit_exceeded', 'http2ControlFramesPerSecondMax');
      await neighbourIsServed(one);
    }
  });

  test(`${what} that come slowly, below what the parser bounds, are counted too`, async () => {
    await using one = await scene({ http2ControlFramesPerSecondMax: 20 });
    await flood(one, next, 100);
    await limitIsTold(one, 'limit_exceeded', 'http2ControlFramesPerSecondMax');
    await neighbourIsServed(one);
  });
}

test('a session that invents host names is slowed down in minting, the neighbour is not', async () => {
  await using one = await scene({ leavesPerSecondMax: 5 });
  // At once: one after the other they may come as slowly as is allowed, on a machine that does much else.
  const asked = Array.from({ length: 40 }, async (_, i) => {
    (await one.path.tls(`h${i}.invented.test:443`, { principal: 'attacker' })).destroy();
  });
  const refused = (await Promise.allSettled(asked)).filter(({ status }) => status === 'rejected').length;
  assert.ok(refused > 0);
  await neighbourIsServed(one);
});
