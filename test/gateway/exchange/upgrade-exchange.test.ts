import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import type { TLSSocket } from 'node:tls';

import { waitUntil } from '../../support/program.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { clientFrame, serverFrame } from '../support/short-frames.ts';
import { openRequestPath, type RequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();

interface SilentOrigin extends AsyncDisposable {
  readonly port: number;
  /** The next request to upgrade, which nobody responds. */
  asked(): Promise<Socket>;
}

async function silentOrigin(): Promise<SilentOrigin> {
  const server = createServer(authority.issue('allowed.test'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = new Set<Socket>();
  server.on('upgrade', (_request, socket: Socket) => sockets.add(socket.on('error', () => undefined)));
  return {
    port: (server.address() as AddressInfo).port,
    asked: async () => ((await once(server, 'upgrade')) as [unknown, Socket])[1],
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

const departures: readonly (readonly [string, (socket: TLSSocket) => void])[] = [
  ['ends its side', (socket) => socket.end()],
  ['breaks off', (socket) => socket.destroy()],
];

for (const [how, leave] of departures) {
  test(
    `a client that ${how} while its WebSocket gets no response takes the connection to the origin with it`,
    {
      timeout: 20_000,
    },
    async () => {
      await using origin = await silentOrigin();
      await using path = openRequestPath({
        policy: `rules:\n  - { name: allowed, hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8 }\n`,
        hosts: ['allowed.test'],
        trust: [authority.caPem],
        limits: { closeTimeoutMs: 100 },
      });
      const at = `allowed.test:${origin.port}`;
      const socket = await path.tls(at);
      const asked = origin.asked();
      socket.write(
        `GET /ws HTTP/1.1\r\nHost: ${at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
      );
      const upstream = await asked;
      const { promise: gone, resolve } = Promise.withResolvers<void>();
      upstream.once('close', () => resolve());
      upstream.on('error', () => undefined).resume();
      leave(socket);
      await gone;
      const [event] = await path.events(1);
      assert.equal(event?.errorCode, 'cancelled');
    },
  );
}

test('a WebSocket that the origin has not responded to ends when the policy no longer allows it', async () => {
  await using origin = await silentOrigin();
  await using path = openRequestPath({
    policy: `rules:\n  - { name: allowed, hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8 }\n`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
  });
  const at = `allowed.test:${origin.port}`;
  const socket = await path.tls(at);
  const asked = origin.asked();
  socket
    .resume()
    .write(
      `GET /ws HTTP/1.1\r\nHost: ${at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    );
  const upstream = await asked;
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  upstream.once('close', () => resolve());
  upstream.on('error', () => undefined).resume();
  path.setPolicy('rules: []\n');
  await gone;
  const [event] = await path.events(1);
  assert.deepEqual([event?.verdict, event?.errorCode], ['deny', 'policy_denied']);
});

test('frames that a client sends before its WebSocket gets a response arrive behind the response', async () => {
  const server = createServer(authority.issue('allowed.test'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await using path = openRequestPath({
    policy: `rules:\n  - { name: allowed, hosts: allowed.test, ports: ${port}, addresses: 127.0.0.0/8 }\n`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
  });
  const at = `allowed.test:${port}`;
  const socket = await path.tls(at);
  const asked = once(server, 'upgrade');
  socket.write(
    `GET /ws HTTP/1.1\r\nHost: ${at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  );
  const [, upstream] = (await asked) as [unknown, Socket];
  const early = clientFrame('early');
  socket.write(early);
  upstream.on('error', () => undefined);
  const received = once(upstream, 'data');
  upstream.write(
    'HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
  );
  assert.deepEqual(((await received) as [Buffer])[0], early);
  socket.destroy();
  upstream.destroy();
  server.close();
});

interface SwitchedWebSocket extends AsyncDisposable {
  readonly path: RequestPath;
  readonly client: TLSSocket;
  readonly upstream: Socket;
}

const switching =
  'HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n';

/** A WebSocket whose request comes with frames, and whose response does. */
async function openWebSocket(limits = ''): Promise<SwitchedWebSocket> {
  await using stack = new AsyncDisposableStack();
  const origin = stack.use(await silentOrigin());
  const path = stack.use(
    openRequestPath({
      policy: `rules:\n  - { name: allowed, hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8${limits} }\n`,
      hosts: ['allowed.test'],
      trust: [authority.caPem],
    }),
  );
  const at = `allowed.test:${origin.port}`;
  const client = await path.tls(at);
  stack.defer(() => {
    client.destroy();
  });
  const asked = origin.asked();
  const head = `GET /ws HTTP/1.1\r\nHost: ${at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
  client.write(Buffer.concat([Buffer.from(head), clientFrame('with the request')]));
  const upstream = await asked;
  upstream.on('error', () => undefined);
  upstream.write(Buffer.concat([Buffer.from(switching), serverFrame('with the response')]));
  const owned = stack.move();
  return { path, client, upstream, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test('a WebSocket that ends because its rule goes says so in the audit', { timeout: 20_000 }, async () => {
  await using scene = await openWebSocket();
  await once(scene.client, 'data');
  scene.client.resume();
  scene.upstream.resume();
  scene.path.setPolicy('rules: []\n');
  const [event] = await scene.path.events(1);
  assert.deepEqual([event?.verdict, event?.errorCode, event?.status], ['deny', 'policy_denied', 101]);
});

/** Everything that a side gets until the gateway ends it, without the head of the handshake. */
async function framesOf(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const head = bytes.indexOf('\r\n\r\n');
  return bytes.subarray(0, 4).toString() === 'HTTP' ? bytes.subarray(head + 4) : bytes;
}

const closeOf = (code: number): Buffer => Buffer.of(0x88, 2, code >> 8, code & 0xff);

test('a WebSocket that the policy ends is closed with 1008 on both sides', { timeout: 20_000 }, async () => {
  await using scene = await openWebSocket();
  const [client, upstream] = [framesOf(scene.client), framesOf(scene.upstream)];
  await waitUntil('the frames have passed', () => Promise.resolve(scene.client.bytesRead > 0));
  scene.path.setPolicy('rules: []\n');
  assert.deepEqual((await client).subarray(-4), closeOf(1008));
  // Towards the server it is masked: a header, a mask, and the code.
  assert.equal((await upstream).at(-8), 0x88);
});

test(
  'frames before one that is malformed arrive, in one segment too, and a close goes both ways',
  { timeout: 20_000 },
  async () => {
    await using scene = await openWebSocket();
    const [client, upstream] = [framesOf(scene.client), framesOf(scene.upstream)];
    const good = serverFrame('before');
    scene.upstream.write(Buffer.concat([good, Buffer.of(0x83, 0)]));
    const received = await client;
    assert.deepEqual(received.subarray(-4), closeOf(1002));
    assert.deepEqual(received.subarray(-4 - good.length, -4), good);
    assert.equal((await upstream).at(-8), 0x88);
    const [event] = await scene.path.events(1);
    assert.deepEqual([event?.verdict, event?.errorCode], ['error', 'websocket_malformed']);
  },
);

test('frames that come together with the heads count as all others', { timeout: 20_000 }, async () => {
  await using scene = await openWebSocket();
  const ended = once(scene.upstream, 'end');
  let received = '';
  scene.client.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
  while (!received.endsWith('with the response')) await once(scene.client, 'data');
  scene.client.end();
  scene.upstream.resume();
  await ended;
  scene.upstream.end();
  const [event] = await scene.path.events(1);
  assert.deepEqual(
    [event?.requestBytes, event?.responseBytes, event?.verdict],
    [clientFrame('with the request').length, serverFrame('with the response').length, 'allow'],
  );
});

test('frames that come together with the heads are paid for', { timeout: 20_000 }, async () => {
  await using scene = await openWebSocket(', limits: { bytesPerSession: 10 }');
  const [event] = await scene.path.events(1);
  assert.deepEqual([event?.errorCode, event?.status], ['limit_exceeded', 101]);
});
