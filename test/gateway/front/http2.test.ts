import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttps } from 'node:https';
import { connect, constants } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import { createTestAuthority } from '../../support/test-authority.ts';
import { httpsOrigin } from '../../support/origin.ts';
import { get, sendRaw } from '../support/raw-http.ts';
import { http2Origin } from '../support/http2-origin.ts';
import { clientFrame, echoed, serverFrame } from '../support/short-frames.ts';
import { openRequestPath } from '../support/request-path.ts';
import type { RequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();

function pathTo(port: number): RequestPath {
  return openRequestPath({
    policy: `rules:\n  - { name: allowed, hosts: allowed.test, ports: ${port}, addresses: 127.0.0.0/8 }\n`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
  });
}

async function http2Client(
  path: RequestPath,
  at: string,
  alpn = ['h2', 'http/1.1'],
): Promise<ClientHttp2Session> {
  const socket = await path.tls(at, { alpn });
  assert.equal(socket.alpnProtocol, 'h2');
  const session = connect(`https://${at}`, { createConnection: () => socket });
  session.on('error', () => undefined);
  return session;
}

async function head(stream: ClientHttp2Stream): Promise<IncomingHttpHeaders & { ':status'?: number }> {
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status'?: number }];
  return headers;
}

test('an HTTP/2 client reaches an origin that only speaks HTTP/1.1', async () => {
  await using origin = await httpsOrigin({ authority });
  await using path = pathTo(origin.port);
  const session = await http2Client(path, `allowed.test:${origin.port}`);
  const stream = session.request({ ':path': '/hello' });
  assert.equal((await head(stream))[':status'], 200);
  assert.equal(await text(stream), 'hello\n');
  const upload = session.request({ ':path': '/sink', ':method': 'POST' });
  upload.end('12345');
  assert.match(await text(upload), /"bytes":5/);
  session.destroy();
  const events = await path.events(2);
  assert.deepEqual(
    events.map((event) => [event.protocol, event.upstreamProtocol, event.status]),
    [
      ['h2', 'http/1.1', 200],
      ['h2', 'http/1.1', 200],
    ],
  );
});

test('HTTP/2 on both sides carries bodies both ways, trailers both ways, and te: trailers', async () => {
  await using origin = await http2Origin(authority, false);
  await using path = pathTo(origin.port);
  const session = await http2Client(path, `allowed.test:${origin.port}`);
  const stream = session.request(
    { ':path': '/echo', ':method': 'POST', te: 'trailers', 'content-type': 'application/grpc' },
    { waitForTrailers: true },
  );
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-client': 'done' }));
  const trailers = once(stream, 'trailers');
  stream.write('ping ');
  assert.equal((await head(stream))[':status'], 200);
  stream.end('pong');
  assert.equal(await text(stream), 'ping pong');
  assert.equal(((await trailers) as [IncomingHttpHeaders])[0]['grpc-status'], '0');
  session.destroy();
  assert.equal(origin.seen[0]?.headers['te'], 'trailers');
  assert.equal((origin.seen[0]!.trailers as Record<string, unknown>)['grpc-client'], 'done');
  assert.equal((await path.events(1))[0]?.upstreamProtocol, 'h2');
});

test('an HTTP/1.1 client reaches an origin that only speaks HTTP/2', async () => {
  await using origin = await http2Origin(authority, true);
  await using path = pathTo(origin.port);
  const at = `allowed.test:${origin.port}`;
  for (const target of ['/one', '/two']) {
    const response = await sendRaw(await path.tls(at), get(at, target));
    assert.equal(response.status, 200);
    assert.match(response.body, new RegExp(target));
  }
  const events = await path.events(2);
  assert.deepEqual(
    events.map((event) => event.upstreamProtocol),
    ['h2', 'h2'],
  );
});

test('a response that ends with its head does so for the client too, as gRPC says an error', async () => {
  await using origin = await http2Origin(authority, true);
  await using path = pathTo(origin.port);
  const session = await http2Client(path, `allowed.test:${origin.port}`);
  const stream = session.request({ ':path': '/trailers-only', ':method': 'POST' }, { endStream: false });
  const ended = once(stream, 'response');
  stream.end('message');
  const [headers, flags] = (await ended) as [IncomingHttpHeaders, number];
  assert.equal(headers['grpc-status'], '9');
  assert.equal(flags & constants.NGHTTP2_FLAG_END_STREAM, constants.NGHTTP2_FLAG_END_STREAM);
  session.destroy();
});

test('the first event of a stream is there before the second is made', async () => {
  await using origin = await http2Origin(authority, false);
  await using path = pathTo(origin.port);
  const session = await http2Client(path, `allowed.test:${origin.port}`);
  const stream = session.request({ ':path': '/events', ':method': 'POST' });
  const [first] = (await once(stream, 'data')) as [Buffer];
  assert.equal(first.toString(), 'data: first\n\n');
  stream.end();
  assert.equal(await text(stream), 'data: second\n\n');
  session.destroy();
});

test('a reset by the origin is a reset for the client, and ends that stream only', async () => {
  await using origin = await http2Origin(authority, false);
  await using path = pathTo(origin.port);
  const session = await http2Client(path, `allowed.test:${origin.port}`);
  const broken = session.request({ ':path': '/reset' });
  await assert.rejects(text(broken), { code: 'ERR_HTTP2_STREAM_ERROR' });
  const next = session.request({ ':path': '/next' });
  assert.equal(await text(next), '/next');
  session.destroy();
  assert.deepEqual(
    (await path.events(2)).map((event) => event.errorCode),
    ['origin_truncated', undefined],
  );
});

test('a client that cancels its stream ends the request at the origin', async () => {
  await using origin = await http2Origin(authority, false);
  await using path = pathTo(origin.port);
  const session = await http2Client(path, `allowed.test:${origin.port}`);
  const stream = session.request({ ':path': '/events', ':method': 'POST' });
  await once(stream, 'data');
  stream.on('error', () => undefined);
  stream.close(8);
  const [event] = await path.events(1);
  assert.equal(event?.errorCode, 'cancelled');
  session.destroy();
});

test('a denial inside HTTP/2 ends its stream with 403 and leaves the connection up', async () => {
  await using origin = await http2Origin(authority, false);
  await using path = pathTo(1);
  const session = await http2Client(path, `allowed.test:${origin.port}`);
  for (const target of ['/a', '/b']) {
    const stream = session.request({ ':path': target });
    const headers = await head(stream);
    assert.equal(headers[':status'], 403);
    assert.equal(headers['x-deny-reason'], 'policy_denied');
    assert.match(await text(stream), /default-deny/);
  }
  session.destroy();
  assert.equal(origin.seen.length, 0);
});

test('an :authority other than the destination gets a response 421', async () => {
  await using origin = await http2Origin(authority, false);
  await using path = pathTo(origin.port);
  const session = await http2Client(path, `allowed.test:${origin.port}`);
  const stream = session.request({ ':path': '/', ':authority': 'evil.test' });
  assert.equal((await head(stream))[':status'], 421);
  session.destroy();
  assert.equal(origin.seen.length, 0);
});

/** An HTTP/1.1 origin whose WebSocket sends every byte back. */
async function echoOrigin(): Promise<{ port: number } & AsyncDisposable> {
  const server = createHttps(authority.issue('allowed.test'));
  server.on('upgrade', (request, socket) => {
    const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key'] ?? ''}${guid}`)
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on('data', (frame: Buffer) => socket.write(echoed(frame)));
    socket.on('end', () => socket.end());
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

test('a WebSocket over HTTP/1.1 and one over HTTP/2 (RFC 8441) reach the origin as an upgrade', async () => {
  await using origin = await echoOrigin();
  await using path = pathTo(origin.port);
  const at = `allowed.test:${origin.port}`;
  const socket = await path.tls(at);
  const key = Buffer.alloc(16, 1).toString('base64');
  socket.write(
    `GET /ws HTTP/1.1\r\nHost: ${at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  const [upgraded] = (await once(socket, 'data')) as [Buffer];
  assert.match(upgraded.toString(), /^HTTP\/1\.1 101 /);
  socket.write(clientFrame('hello frame'));
  assert.deepEqual((await once(socket, 'data'))[0], serverFrame('hello frame'));
  socket.end();
  await once(socket, 'close');

  const session = await http2Client(path, at);
  await once(session, 'remoteSettings');
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/ws',
    ':scheme': 'https',
    'sec-websocket-version': '13',
  });
  const headers = await head(stream);
  assert.equal(headers[':status'], 200);
  assert.equal('sec-websocket-accept' in headers, false);
  stream.write(clientFrame('over h2'));
  assert.deepEqual((await once(stream, 'data'))[0], serverFrame('over h2'));
  stream.end();
  stream.resume();
  await once(stream, 'close');
  session.destroy();
  const events = await path.events(2);
  assert.deepEqual(
    events.map((event) => [event.status, event.requestBytes]),
    [
      [101, 17],
      [101, 13],
    ],
  );
});

test('a client that sends a key over HTTP/2, as the WebSocket of Node does, gets the response to it', async () => {
  await using origin = await echoOrigin();
  await using path = pathTo(origin.port);
  const session = await http2Client(path, `allowed.test:${origin.port}`);
  await once(session, 'remoteSettings');
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/ws',
    ':scheme': 'https',
    'sec-websocket-version': '13',
    // With its response from RFC 6455 §1.3.
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  });
  const headers = await head(stream);
  assert.equal(headers[':status'], 200);
  assert.equal(headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  session.destroy();
});

test('WebSockets over HTTP/2 are offered to who puts HTTP/2 first, and open for nobody else', async () => {
  await using origin = await echoOrigin();
  await using path = pathTo(origin.port);
  const opened: unknown[] = [];
  for (const alpn of [['h2'], ['h2', 'http/1.1'], ['http/1.1', 'h2']]) {
    const session = await http2Client(path, `allowed.test:${origin.port}`, alpn);
    await once(session, 'remoteSettings');
    const stream = session.request({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':path': '/ws',
      ':scheme': 'https',
      'sec-websocket-version': '13',
    });
    const { promise, resolve } = Promise.withResolvers<number | string | undefined>();
    stream.once('response', (fields) => resolve(fields[':status']));
    stream.once('error', (error: Error & { readonly code?: string }) => resolve(error.code));
    opened.push([alpn.join(), session.remoteSettings.enableConnectProtocol, await promise]);
    session.destroy();
  }
  assert.deepEqual(opened, [
    ['h2', true, 200],
    ['h2,http/1.1', true, 200],
    ['http/1.1,h2', false, 'ERR_HTTP2_STREAM_ERROR'],
  ]);
});

test('a WebSocket of either version reaches an origin that speaks HTTP/2 only, as an extended CONNECT', async () => {
  await using origin = await http2Origin(authority, true);
  await using path = pathTo(origin.port);
  const at = `allowed.test:${origin.port}`;
  const socket = await path.tls(at);
  // The key and its response are those of RFC 6455 §1.3.
  const key = 'dGhlIHNhbXBsZSBub25jZQ==';
  socket.write(
    `GET /ws HTTP/1.1\r\nHost: ${at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  const [upgraded] = (await once(socket, 'data')) as [Buffer];
  assert.match(String(upgraded), /^HTTP\/1\.1 101 /);
  assert.match(String(upgraded), /^sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r$/im);
  socket.write(clientFrame('over h1'));
  assert.deepEqual((await once(socket, 'data'))[0], serverFrame('over h1'));
  socket.end();
  await once(socket, 'close');
  assert.equal('sec-websocket-key' in (origin.seen[0]?.headers ?? {}), false);

  const session = await http2Client(path, at);
  await once(session, 'remoteSettings');
  const fields = {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'https',
    'sec-websocket-version': '13',
  };
  const stream = session.request({ ...fields, ':path': '/ws' });
  assert.equal((await head(stream))[':status'], 200);
  stream.write(clientFrame('over h2'));
  assert.deepEqual((await once(stream, 'data'))[0], serverFrame('over h2'));
  stream.end();
  stream.resume();
  await once(stream, 'close');
  const refused = session.request({ ...fields, ':path': '/no' });
  assert.equal((await head(refused))[':status'], 403);
  assert.equal(await text(refused), 'no');
  session.destroy();
  const events = await path.events(3);
  assert.deepEqual(
    events.map((event) => [event.status, event.upstreamProtocol, event.requestBytes]),
    [
      [101, 'h2', 13],
      [101, 'h2', 13],
      [403, 'h2', 0],
    ],
  );
});

test('an origin that speaks HTTP/2 only and offers no WebSocket is a clear 502', async () => {
  await using origin = await http2Origin(authority, true, { enableConnectProtocol: false });
  await using path = pathTo(origin.port);
  const at = `allowed.test:${origin.port}`;
  const response = await sendRaw(
    await path.tls(at),
    `GET /ws HTTP/1.1\r\nHost: ${at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  );
  assert.equal(response.status, 502);
  assert.match(response.body, /RFC 8441/);
  assert.equal(origin.seen.length, 0);
});

test('a WebSocket ends when its rule goes', async () => {
  await using origin = await echoOrigin();
  await using path = pathTo(origin.port);
  const at = `allowed.test:${origin.port}`;
  const socket = await path.tls(at);
  const key = Buffer.alloc(16, 1).toString('base64');
  socket.write(
    `GET /ws HTTP/1.1\r\nHost: ${at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  await once(socket, 'data');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  path.setPolicy('rules: []\n');
  await closed;
  assert.equal((await path.events(1))[0]?.verdict !== undefined, true);
});
