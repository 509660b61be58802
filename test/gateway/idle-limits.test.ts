import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { createServer as createTcp } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { test } from 'node:test';
import { createServer as createTls, connect as connectTls } from 'node:tls';

import { httpsOrigin } from '../support/origin.ts';
import { waitUntil } from '../support/program.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { http2Origin } from './support/http2-origin.ts';
import { get } from './support/raw-http.ts';
import { rawOrigin } from './support/raw-origin.ts';
import { openRequestPath } from './support/request-path.ts';
import type { RequestPath } from './support/request-path.ts';

const authority = createTestAuthority();
/** Long for a machine that is busy, short for a test; the other limits of time are shorter and must not be the ones. */
const idleMs = 1_000;

interface Listening extends AsyncDisposable {
  readonly port: number;
}

async function listen(server: Server): Promise<Listening> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close();
    },
  };
}

function pathTo(
  port: number,
  rule: string,
  limits: Parameters<typeof openRequestPath>[0]['limits'],
): RequestPath {
  return openRequestPath({
    policy: `rules: [{ name: r, hosts: allowed.test, ports: ${port}, addresses: 127.0.0.0/8${rule} }]`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
    ...(limits === undefined ? {} : { limits }),
  });
}

test('raw TCP without a byte either way ends, and the audit names the limit', async () => {
  await using origin = await listen(createTcp((socket) => socket.on('error', () => undefined).pipe(socket)));
  await using path = pathTo(origin.port, ', scheme: tcp', { blindIdleTimeoutMs: idleMs });
  const { socket, ended } = path.open({ authority: `allowed.test:${origin.port}`, mode: 'raw' });
  socket.write('hello');
  assert.equal(String(((await once(socket, 'data')) as [Buffer])[0]), 'hello');
  await once(socket, 'close');
  await ended;
  const [event] = await path.events(1);
  assert.deepEqual(
    [event?.verdict, event?.errorCode, event?.limit, event?.requestBytes, event?.responseBytes],
    ['allow', 'timeout', 'blindIdleTimeoutMs', 5, 5],
  );
});

test('bytes in either direction keep a blind stream: the time counts from the last of them', async () => {
  const longMs = 2 * idleMs;
  await using origin = await listen(
    createTcp((socket) => {
      // Speaks for longer than the limit, and is then silent; a process that stood still for a second is in time.
      let left = 12;
      const timer = setInterval(() => {
        socket.write('.');
        left -= 1;
        if (left === 0) clearInterval(timer);
      }, longMs / 8);
      socket.on('error', () => clearInterval(timer));
    }),
  );
  await using path = pathTo(origin.port, ', scheme: tcp', { blindIdleTimeoutMs: longMs });
  const { socket } = path.open({ authority: `allowed.test:${origin.port}`, mode: 'raw' });
  socket.resume();
  const [event] = await path.events(1);
  assert.deepEqual([event?.limit, event?.responseBytes], ['blindIdleTimeoutMs', 12]);
});

test('passed-through TLS without a byte ends', async () => {
  await using origin = await listen(
    createTls(authority.issue('allowed.test'), (socket) => socket.on('error', () => undefined)),
  );
  await using path = pathTo(origin.port, ', tls: passthrough', { blindIdleTimeoutMs: idleMs });
  const { socket } = path.open({ authority: `allowed.test:${origin.port}`, mode: 'raw' });
  const secured = connectTls({ socket, servername: 'allowed.test', ca: authority.caPem });
  secured.on('error', () => undefined);
  await once(secured, 'secureConnect');
  const [event] = await path.events(1);
  assert.deepEqual([event?.protocol, event?.limit], ['passthrough', 'blindIdleTimeoutMs']);
});

/** Shorter than the one that counts, if they still held for a WebSocket. */
const others = { idleTimeoutMs: 900, responseHeadTimeoutMs: 900 } as const;

test('a WebSocket without a byte ends by its own limit, over HTTP/1.1', async () => {
  const server = createServer();
  server.on('upgrade', (_request, socket) => {
    socket.on('error', () => undefined);
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
    );
  });
  await using origin = await listen(server);
  await using path = pathTo(origin.port, ', scheme: http', { webSocketIdleTimeoutMs: idleMs, ...others });
  const at = `allowed.test:${origin.port}`;
  const { socket } = path.open({ authority: at, mode: 'raw' });
  socket.write(
    `GET /ws HTTP/1.1\r\nHost: ${at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  );
  assert.match(String(((await once(socket, 'data')) as [Buffer])[0]), /^HTTP\/1\.1 101 /);
  await once(socket, 'close');
  const [event] = await path.events(1);
  assert.deepEqual(
    [event?.status, event?.errorCode, event?.limit],
    [101, 'timeout', 'webSocketIdleTimeoutMs'],
  );
});

/** A WebSocket inside of an HTTP/2 connection of its own. */
async function openWebSocket(path: RequestPath, port: number) {
  const at = `allowed.test:${port}`;
  const socket = await path.tls(at, { alpn: ['h2'] });
  const session = connectHttp2(`https://${at}`, { createConnection: () => socket });
  session.on('error', () => undefined);
  await once(session, 'remoteSettings');
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/ws',
    ':scheme': 'https',
    'sec-websocket-version': '13',
  });
  stream.on('error', () => undefined);
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  assert.equal(headers[':status'], 200);
  stream.resume();
  return { session, socket };
}

test('a WebSocket without a byte ends by its own limit, over HTTP/2 on both sides', async () => {
  await using origin = await http2Origin(authority, true);
  // The limit of the client's whole HTTP/2 connection would end it in an orderly way; it stays longer here.
  await using path = pathTo(origin.port, '', {
    webSocketIdleTimeoutMs: idleMs,
    responseHeadTimeoutMs: others.responseHeadTimeoutMs,
  });
  const { session } = await openWebSocket(path, origin.port);
  const [event] = await path.events(1);
  assert.deepEqual([event?.upstreamProtocol, event?.limit], ['h2', 'webSocketIdleTimeoutMs']);
  session.destroy();
});

test('a WebSocket over HTTP/2 ends when the client closes its connection, without a word inside of it', async () => {
  await using origin = await http2Origin(authority, true);
  await using path = pathTo(origin.port, '', undefined);
  const { session, socket } = await openWebSocket(path, origin.port);
  // As the relay hands on a connection that was closed: the end first.
  socket.end();
  const [event] = await path.events(1);
  assert.deepEqual([event?.status, event?.verdict], [101, 'allow']);
  session.destroy();
});

test('responses and refusals over HTTP/2 that a client never takes end by the idle limit, whatever else moves', async () => {
  await using origin = await httpsOrigin({ authority });
  await using path = pathTo(origin.port, ', methods: GET', { idleTimeoutMs: idleMs });
  const at = `allowed.test:${origin.port}`;
  const socket = await path.tls(at, { alpn: ['h2'] });
  // No window: the head of a response comes, and nothing of its body.
  const session = connectHttp2(`https://${at}`, {
    createConnection: () => socket,
    settings: { initialWindowSize: 0 },
  });
  const pings = setInterval(() => session.ping(() => undefined), idleMs / 4);
  try {
    const ends = ['GET', 'DELETE'].map(async (method) => {
      const stream = session.request({ ':method': method, ':path': '/bytes/4000000' });
      const failed = once(stream, 'error');
      await once(stream, 'response');
      await failed;
    });
    await Promise.all(ends);
    const events = await path.events(2);
    assert.deepEqual(
      events.map(({ verdict, errorCode, limit, status }) => [verdict, errorCode, limit, status]),
      [
        ['deny', 'policy_denied', undefined, 403],
        ['error', 'timeout', 'idleTimeoutMs', 200],
      ],
    );
    assert.equal(session.closed, false, 'the connection itself is in use');
  } finally {
    clearInterval(pings);
    session.destroy();
  }
});

const okHead = 'HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n';

for (const isHttp2 of [false, true]) {
  test(`a client that takes nothing of its response is given up, over HTTP/${isHttp2 ? '2' : '1.1'}`, async () => {
    await using origin = await rawOrigin(authority, (socket) => {
      socket.write(okHead);
      socket.write(Buffer.alloc(50_000_000));
    });
    await using path = pathTo(origin.port, '', { idleTimeoutMs: idleMs });
    const at = `allowed.test:${origin.port}`;
    if (isHttp2) {
      const { session } = await startHttp2(path, at, '/');
      // It says something all the same.
      const timer = setInterval(() => session.ping(() => undefined), 50);
      await path.events(1).finally(() => clearInterval(timer));
      session.destroy();
    } else {
      const socket = await path.tls(at);
      socket.pause().write(get(at, '/'));
      await path.events(1);
      socket.destroy();
    }
    const [event] = path.audit;
    assert.deepEqual([event?.status, event?.errorCode], [200, 'timeout']);
    assert.equal(event?.limit, 'idleTimeoutMs');
    await waitUntil('the connection to the origin is gone', () => origin.sockets.size === 0);
  });
}

test('a response that is whole is not kept for ever for a client that does not take it', async () => {
  await using origin = await rawOrigin(authority, (socket) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole'),
  );
  const limits = { idleTimeoutMs: idleMs, responseHeadTimeoutMs: idleMs };
  await using path = pathTo(origin.port, '', limits);
  const { session, stream } = await startHttp2(path, `allowed.test:${origin.port}`, '/');
  const [event] = await path.events(1);
  assert.equal(event?.verdict, 'allow');
  const timer = setInterval(() => session.ping(() => undefined), 50);
  await closed(stream).finally(() => clearInterval(timer));
  assert.equal(session.destroyed, false);
  session.destroy();
});

test('a response over HTTP/2 has its own limit behind its head', async () => {
  await using origin = await http2Origin(authority, true);
  await using path = pathTo(origin.port, '', { idleTimeoutMs: 3 * idleMs, responseHeadTimeoutMs: idleMs });
  const { session, stream } = await startHttp2(path, `allowed.test:${origin.port}`, '/events');
  stream.resume();
  const [event] = await path.events(1);
  assert.deepEqual([event?.status, event?.errorCode, event?.limit], [200, 'timeout', 'idleTimeoutMs']);
  session.destroy();
});

/** A request over HTTP/2 whose body does not end, by a client that takes two bytes of a response. */
async function startHttp2(path: RequestPath, at: string, target: string) {
  const socket = await path.tls(at, { alpn: ['h2'] });
  const session = connectHttp2(`https://${at}`, {
    createConnection: () => socket,
    settings: { initialWindowSize: target === '/events' ? 65_535 : 2 },
  });
  session.on('error', () => undefined);
  await once(session, 'remoteSettings');
  const isGet = target === '/';
  const stream = session.request(
    { ':path': target, ':method': isGet ? 'GET' : 'POST' },
    { endStream: isGet },
  );
  stream.on('error', () => undefined);
  await once(stream, 'response');
  return { session, stream };
}

/** However it ended. */
function closed(stream: ClientHttp2Stream): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (stream.closed) resolve();
  else stream.once('close', () => resolve());
  return promise;
}
