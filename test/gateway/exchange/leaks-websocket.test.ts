import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { createTestAuthority } from '../../support/test-authority.ts';
import { waitUntil } from '../../support/program.ts';
import { formsOfValue, sample } from '../support/leaks.ts';
import { openRequestPath, type RequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();
const host = 'socket.test';

/** An origin that switches and keeps what comes. */
async function openOrigin(): Promise<
  AsyncDisposable & { readonly port: number; readonly got: () => Buffer; readonly extensions: string[] }
> {
  const server = createServer(authority.issue(host));
  const [sockets, extensions] = [new Set<Socket>(), [] as string[]];
  let got = Buffer.alloc(0);
  server.on('upgrade', (request, socket: Socket) => {
    got = Buffer.alloc(0);
    extensions.push(request.headers['sec-websocket-extensions'] ?? '');
    sockets.add(socket.on('error', () => undefined));
    socket.on('data', (chunk: Buffer) => (got = Buffer.concat([got, chunk])));
    socket.on('end', () => socket.end());
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key'] ?? ''}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    got: () => got,
    extensions,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function openPath(port: number, on: string): RequestPath {
  return openRequestPath({
    policy: `rules:\n  - { name: out, hosts: ${host}, ports: ${port}, addresses: 127.0.0.0/8, leaks: { on: ${on} } }\n`,
    hosts: [host],
    trust: [authority.caPem],
    credentials: { deploy: { kind: 'bearer', source: { env: 'DEPLOY' } } },
    environment: { DEPLOY: sample.token },
    limits: { closeTimeoutMs: 200 },
  });
}

async function switchedSocket(path: RequestPath, port: number): Promise<TLSSocket> {
  const socket = await path.tls(`${host}:${port}`);
  socket.write(
    `GET /ws HTTP/1.1\r\nHost: ${host}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n`,
  );
  const [head] = (await once(socket, 'data')) as [Buffer];
  assert.match(head.toString(), /^HTTP\/1.1 101 /);
  return socket;
}

function frame(
  payload: Buffer,
  { code = 1, isFinal = true, mask = Buffer.of(7, 0, 0x5a, 0xff) } = {},
): Buffer {
  const header =
    payload.length < 126
      ? Buffer.of((isFinal ? 0x80 : 0) | code, 0x80 | payload.length)
      : Buffer.of((isFinal ? 0x80 : 0) | code, 0x80 | 126, payload.length >> 8, payload.length & 0xff);
  return Buffer.concat([header, mask, payload.map((octet, i) => octet ^ (mask[i % 4] ?? 0))]);
}

const framings: Readonly<Record<string, (payload: Buffer) => readonly Buffer[]>> = {
  'one frame': (payload) => [frame(payload)],
  'two frames with a ping between': (payload) => [
    frame(payload.subarray(0, 9), { isFinal: false }),
    frame(Buffer.from('ping'), { code: 9 }),
    frame(payload.subarray(9), { code: 0 }),
  ],
  'a frame for each octet': (payload) =>
    [...payload].map((octet, i) =>
      frame(Buffer.of(octet), { code: i === 0 ? 2 : 0, isFinal: i === payload.length - 1 }),
    ),
  'a message for each octet': (payload) => [...payload].map((octet) => frame(Buffer.of(octet))),
  'a ping': (payload) => [frame(payload.subarray(0, 125), { code: 9 })],
};

for (const [framing, framesOf] of Object.entries(framings))
  test(`a credential in ${framing} ends the WebSocket, and its last octet never leaves`, async () => {
    await using origin = await openOrigin();
    await using path = openPath(origin.port, 'block');
    for (const written of [sample.token, formsOfValue(sample.token)['Base64 behind one octet'] ?? '']) {
      const socket = await switchedSocket(path, origin.port);
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.resume();
      socket.write(frame(Buffer.from('hello')));
      for (const one of framesOf(Buffer.from(written))) socket.write(one);
      await closed;
      const last = frame(Buffer.of(written.charCodeAt(written.length - 1)));
      if (framing === 'a message for each octet')
        assert.ok(!origin.got().subarray(-last.length).equals(last));
      else assert.ok(origin.got().length < 11 + 20, `${origin.got().length} octets left`);
    }
    const events = await path.events(2);
    for (const event of events) {
      assert.equal(event.verdict, 'deny');
      assert.equal(event.errorCode, 'leak_found');
      assert.deepEqual(event.leaks, [
        { kind: 'credential', name: 'deploy', place: 'message', action: 'blocked' },
      ]);
    }
    assert.deepEqual(origin.extensions, ['', '']);
  });

test('messages without a secret arrive as they were sent, and alert lets all of them through', async () => {
  await using origin = await openOrigin();
  for (const [on, text] of [
    ['block', 'nothing to see'],
    ['alert', sample.token],
  ] as const) {
    await using path = openPath(origin.port, on);
    const socket = await switchedSocket(path, origin.port);
    const long = Buffer.alloc(9000, 'x');
    const sent = Buffer.concat([
      frame(Buffer.from(text)),
      frame(long, { code: 2, isFinal: false }),
      frame(Buffer.alloc(0), { code: 0 }),
      frame(Buffer.from([3, 232]), { code: 8 }),
    ]);
    for (let at = 0; at < sent.length; at += 333) socket.write(sent.subarray(at, at + 333));
    await waitUntil('all has come', () => origin.got().length >= sent.length);
    assert.deepEqual(origin.got(), sent);
    socket.destroy();
    const [event] = await path.events(1);
    assert.equal(event?.leaks?.[0]?.action, on === 'alert' ? 'told' : undefined);
  }
});
