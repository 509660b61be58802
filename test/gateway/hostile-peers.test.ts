// What an origin or a workload says to bring the gateway down, or to be taken for what it is not. An error that nobody
// hears ends a process: here it fails the test in which it happens.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createSecureServer } from 'node:http2';
import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  IncomingHttpHeaders,
  ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { test } from 'node:test';

import type { AuditEvent } from '../../src/api/audit-event.ts';
import { waitUntil } from '../support/program.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { get, sendRaw } from './support/raw-http.ts';
import { rawOrigin, type RawOrigin } from './support/raw-origin.ts';
import { openRequestPath, type RequestPath } from './support/request-path.ts';

const authority = createTestAuthority();
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

function pathTo(port: number, limits: Parameters<typeof openRequestPath>[0]['limits'] = {}): RequestPath {
  return openRequestPath({
    policy: `rules:\n  - { name: allowed, hosts: allowed.test, ports: ${port}, addresses: 127.0.0.0/8 }\n`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
    limits,
  });
}

interface Scene extends AsyncDisposable {
  readonly origin: RawOrigin;
  readonly path: RequestPath;
  readonly at: string;
}

async function openScene(
  response: Parameters<typeof rawOrigin>[1],
  limits: Parameters<typeof openRequestPath>[0]['limits'] = {},
): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const origin = stack.use(await rawOrigin(authority, response));
  const path = stack.use(pathTo(origin.port, limits));
  const owned = stack.move();
  return {
    origin,
    path,
    at: `allowed.test:${origin.port}`,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function http2Client(path: RequestPath, at: string): Promise<ClientHttp2Session> {
  const socket = await path.tls(at, { alpn: ['h2'] });
  const session = connect(`https://${at}`, { createConnection: () => socket });
  session.on('error', () => undefined);
  return session;
}

const post = (at: string): string =>
  `POST / HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx`;

const outcome = ({ verdict, errorCode }: AuditEvent): unknown => [verdict, errorCode];

const chunkedEnd = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n';

for (const [fields, expected] of [
  ['constructor: x\r\n__proto__: y', { constructor: 'x', __proto__: 'y' }],
  ['etag: a\r\nEtag: b', {}],
  ['http2-settings: x', undefined],
  ['x-kept: 1', { 'x-kept': '1' }],
] as const) {
  test(`trailers of an origin that HTTP/2 has no place for harm nobody: ${JSON.stringify(fields)}`, async () => {
    await using scene = await openScene((socket) => socket.end(`${chunkedEnd}${fields}\r\n\r\n`));
    const session = await http2Client(scene.path, scene.at);
    const stream = session.request({ ':path': '/' });
    let trailers: object | undefined;
    stream.on('trailers', (got: IncomingHttpHeaders) => (trailers = got));
    assert.equal(await text(stream), 'ok');
    session.destroy();
    for (const [name, value] of Object.entries(expected ?? {}))
      assert.equal(Object.getOwnPropertyDescriptor(trailers, name)?.value, value);
    assert.deepEqual((await scene.path.events(1)).map(outcome), [['allow', undefined]]);
  });
}

for (const method of ['GET', 'POST'] as const) {
  test(`an interim response to ${method} that is refused ends its exchange and nothing else`, async () => {
    await using scene = await openScene((socket) =>
      socket.end(`HTTP/1.1 103 Early Hints\r\nConnection: host\r\n\r\n${ok}`),
    );
    const response = await sendRaw(
      await scene.path.tls(scene.at),
      method === 'GET' ? get(scene.at, '/') : post(scene.at),
    );
    assert.equal(response.status, 502);
    assert.deepEqual((await scene.path.events(1)).map(outcome), [['error', 'origin_malformed']]);
  });

  test(`interim responses to ${method} have an end`, async () => {
    await using scene = await openScene((socket) => {
      const send = (): void => {
        while (!socket.destroyed && socket.write('HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n'));
        if (!socket.destroyed) socket.once('drain', send);
      };
      send();
    });
    const response = await sendRaw(
      await scene.path.tls(scene.at),
      method === 'GET' ? get(scene.at, '/') : post(scene.at),
    );
    const text = `${response.head}\r\n\r\n${response.body}`;
    assert.equal(text.split('HTTP/1.1 103 ').length - 1, 64);
    assert.match(text, /HTTP\/1\.1 502 [^]*interimHeadsMax/);
    const [event] = await scene.path.events(1);
    assert.deepEqual([event?.errorCode, event?.limit], ['origin_malformed', 'interimHeadsMax']);
  });

  test(`an interim response to ${method} over HTTP/2 says its own fields, whatever they are called`, async () => {
    await using scene = await openScene((socket) =>
      socket.end(`HTTP/1.1 103 Early Hints\r\nconstructor: x\r\netag: a\r\netag: b\r\n\r\n${ok}`),
    );
    const session = await http2Client(scene.path, scene.at);
    const stream = session.request({ ':path': '/', ':method': method }, { endStream: method === 'GET' });
    let hints: object | undefined;
    stream.on('headers', (got: IncomingHttpHeaders) => (hints = got));
    if (method === 'POST') stream.end('x');
    assert.equal(await text(stream), 'ok');
    session.destroy();
    assert.equal(Object.getOwnPropertyDescriptor(hints, 'constructor')?.value, 'x');
  });

  test(`a switch of protocols that ${method} did not ask for is no response`, async () => {
    await using scene = await openScene((socket) =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
    );
    const response = await sendRaw(
      await scene.path.tls(scene.at),
      method === 'GET' ? get(scene.at, '/') : post(scene.at),
    );
    assert.equal(response.status, 502);
    assert.equal((await scene.path.events(1))[0]?.verdict, 'error');
    await waitUntil('the connection is gone', () => scene.origin.sockets.size === 0);
  });
}

test('a field of a response that stands twice stands twice over HTTP/2 as well', async () => {
  await using scene = await openScene((socket) =>
    socket.end(
      ok.replace(
        '\r\n\r\n',
        '\r\nX-Content-Type-Options: nosniff\r\nX-Content-Type-Options: nosniff\r\n\r\n',
      ),
    ),
  );
  const session = await http2Client(scene.path, scene.at);
  const stream = session.request({ ':path': '/' });
  const responded = once(stream, 'response');
  assert.equal(await text(stream), 'ok');
  const [head] = (await responded) as [IncomingHttpHeaders & { ':status'?: number }];
  assert.equal(head[':status'], 200);
  session.destroy();
});

const upgrade = (at: string): string =>
  `GET / HTTP/1.1\r\nHost: ${at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

for (const fields of [
  'Upgrade: websocket\r\nConnection: Upgrade, host\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
  'Upgrade: websocket, x\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
  'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: another',
]) {
  test(`a WebSocket whose response is refused leaves no connection behind: ${JSON.stringify(fields)}`, async () => {
    await using scene = await openScene((socket) =>
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n\r\n`),
    );
    const socket = await scene.path.tls(scene.at);
    socket.write(upgrade(scene.at));
    assert.match((await buffer(socket)).toString('latin1'), /^HTTP\/1\.1 502 [^]*origin_malformed/);
    await waitUntil('the connection is gone', () => scene.origin.sockets.size === 0);
    assert.deepEqual((await scene.path.events(1)).map(outcome), [['error', 'origin_malformed']]);
  });
}

interface SeenStream {
  readonly stream: ServerHttp2Stream;
  readonly ends: string[];
}

/** Speaks HTTP/2 alone, and tells how each stream ended: `endStream` by its frames, or a reset. */
async function http2OnlyOrigin(): Promise<
  AsyncDisposable & { readonly port: number; readonly seen: SeenStream[] }
> {
  const seen: SeenStream[] = [];
  const server = createSecureServer(authority.issue('allowed.test'));
  server.on('sessionError', () => undefined);
  server.on('stream', (given) => {
    // On a server every stream is a server's.
    const stream = given as ServerHttp2Stream;
    const ends: string[] = [];
    seen.push({ stream, ends });
    stream.on('error', () => undefined).on('aborted', () => ends.push('aborted'));
    stream.on('close', () => ends.push(`closed ${stream.rstCode}`)).resume();
    stream.on('end', () => {
      if (stream.rstCode !== 0 || stream.aborted) return;
      ends.push('whole');
      stream.respond({ ':status': 200 });
      stream.end('ok');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // It listens on an address and a port.
    port: (server.address() as AddressInfo).port,
    seen,
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}

async function upload(path: RequestPath, at: string, options: object = {}): Promise<ClientHttp2Stream> {
  const session = await http2Client(path, at);
  const stream = session.request({ ':path': '/', ':method': 'POST' }, { endStream: false, ...options });
  stream.on('error', () => undefined);
  stream.write('body');
  return stream;
}

test('trailers of a client that are too many end its exchange and nothing else', async () => {
  await using only2 = await http2OnlyOrigin();
  await using scene = await openScene(() => undefined);
  await using path2 = pathTo(only2.port);
  for (const [path, at] of [
    [scene.path, scene.at],
    [path2, `allowed.test:${only2.port}`],
  ] as const) {
    const stream = await upload(path, at, { waitForTrailers: true });
    stream.once('wantTrailers', () =>
      stream.sendTrailers(Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`x-t${i}`, 'v']))),
    );
    stream.end();
    const [head] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status'?: number }];
    assert.equal(head[':status'], 400);
    stream.session?.destroy();
    assert.deepEqual((await path.events(1)).map(outcome), [['deny', 'request_malformed']]);
  }
  assert.ok(scene.origin.seen.every((bytes) => !bytes.includes('\r\n0\r\n')));
});

const breaks: readonly (readonly [string, (stream: ClientHttp2Stream) => void])[] = [
  ['resets its stream', (stream) => stream.destroy(new Error('gone'))],
  ['leaves', (stream) => stream.session?.destroy()],
];

for (const [how, leave] of breaks) {
  test(`the body of a client over HTTP/2 that ${how} does not look whole to the origin`, async () => {
    await using scene = await openScene(() => undefined);
    const stream = await upload(scene.path, scene.at);
    await waitUntil('the body arrives', () => scene.origin.seen.some((bytes) => bytes.includes('body')));
    leave(stream);
    await waitUntil('the connection is gone', () => scene.origin.sockets.size === 0);
    assert.match(scene.origin.seen[0] ?? '', /4\r\nbody\r\n$/);
    stream.session?.destroy();
    assert.deepEqual((await scene.path.events(1)).map(outcome), [['error', 'cancelled']]);
  });

  test(`nor does it to an origin over HTTP/2: ${how}`, async () => {
    await using origin = await http2OnlyOrigin();
    await using path = pathTo(origin.port);
    const stream = await upload(path, `allowed.test:${origin.port}`);
    await waitUntil('the stream arrives', () => origin.seen.length > 0);
    leave(stream);
    await waitUntil('it ends', () => (origin.seen[0]?.ends.length ?? 0) >= 2);
    const ends = origin.seen[0]?.ends ?? [];
    assert.ok(ends.includes('aborted') && !ends.includes('whole'), ends.join());
    stream.session?.destroy();
    assert.deepEqual((await path.events(1)).map(outcome), [['error', 'cancelled']]);
  });
}

test('a WebSocket that gets a response when the policy has taken it back does not begin', async () => {
  let change = (): void => undefined;
  await using scene = await openScene((socket) => {
    change();
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
    );
  });
  change = () => scene.path.setPolicy('rules: [{ name: other, hosts: other.test }]');
  const socket = await scene.path.tls(scene.at);
  socket.write(upgrade(scene.at));
  assert.match((await buffer(socket)).toString('latin1'), /^HTTP\/1\.1 403 /);
  await waitUntil('the connection is gone', () => scene.origin.sockets.size === 0);
  assert.deepEqual((await scene.path.events(1)).map(outcome), [['deny', 'policy_denied']]);
});
