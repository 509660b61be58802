// What responses take of the budgets of their session, as the gateway counts it while they run.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { brotliCompressSync, gzipSync } from 'node:zlib';

import { defaultLimits, type Limits } from '../../../src/protocol/limits.ts';
import { patienceMs } from '../../support/patience.ts';
import { waitUntil } from '../../support/program.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { rawOrigin } from '../support/raw-origin.ts';
import { get, sendRaw } from '../support/raw-http.ts';
import { openRequestPath, type RequestPath } from '../support/request-path.ts';

const timeout = patienceMs;
const authority = createTestAuthority();
const secret = 'canary-9e41-response-room';
const session = 'session-alice';
const { stalledResponseBytes } = defaultLimits;
const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n';

interface Scene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly at: string;
  readonly asked: () => number;
  held(): number;
  unread(): number;
}

async function openScene(
  respond: (socket: TLSSocket) => void,
  { limits = {}, inject = '' }: { readonly limits?: Partial<Limits>; readonly inject?: string } = {},
): Promise<Scene> {
  const origin = await rawOrigin(authority, respond);
  const path = openRequestPath({
    policy: `rules: [{ name: a, hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8${inject} }]`,
    credentials: { key: { kind: 'bearer', source: { env: 'KEY' }, scrub: { decode: true } } },
    environment: { KEY: secret },
    hosts: ['allowed.test'],
    trust: [authority.caPem],
    limits,
  });
  return {
    path,
    at: `allowed.test:${origin.port}`,
    asked: () => origin.seen.length,
    held: () => path.parts.held.ofSession(session),
    unread: () => path.parts.unread.ofSession(session),
    [Symbol.asyncDispose]: async () => {
      await path[Symbol.asyncDispose]();
      await origin[Symbol.asyncDispose]();
    },
  };
}

const piece = Buffer.alloc(64 * 1024);

/** Sends for as long as it is taken, up to so many octets. */
function endless(socket: TLSSocket, octets: number): void {
  let left = octets;
  const send = (): void => {
    while (left > 0 && !socket.destroyed) {
      left -= piece.length;
      if (!socket.write(piece)) return;
    }
    if (left <= 0) socket.end();
  };
  socket.on('drain', send);
  socket.write(`${head}\r\n`);
  send();
}

test(
  'a response whose client takes nothing is counted, and no longer once it is taken or given up',
  { timeout },
  async () => {
    await using scene = await openScene((socket) => endless(socket, 8 * 1024 ** 2));
    const [one, other] = [await scene.path.tls(scene.at), await scene.path.tls(scene.at)];
    for (const client of [one, other]) client.on('error', () => undefined).write(get(scene.at, '/'));
    await waitUntil('the count', () => scene.unread() === 2 * stalledResponseBytes);
    other.destroy();
    await waitUntil('the count', () => scene.unread() === stalledResponseBytes);
    let octets = 0;
    for await (const piece of one) octets += (piece as Buffer).length;
    assert.ok(octets >= 8 * 1024 ** 2);
    await scene.path.events(2);
    assert.equal(scene.unread(), 0);
  },
);

test('a response that would wait above the bound ends, the others go on', { timeout }, async () => {
  const limits = { unreadOctetsPerSessionMax: 2 * stalledResponseBytes };
  await using scene = await openScene((socket) => endless(socket, 8 * 1024 ** 2), { limits });
  const clients = [await scene.path.tls(scene.at), await scene.path.tls(scene.at)];
  for (const client of clients) client.write(get(scene.at, '/'));
  await waitUntil('the count', () => scene.unread() === 2 * stalledResponseBytes);
  const third = await scene.path.tls(scene.at);
  third.on('error', () => undefined).write(get(scene.at, '/'));
  const [event] = await scene.path.events(1);
  assert.deepEqual([event?.errorCode, event?.limit], ['limit_exceeded', 'unreadOctetsPerSessionMax']);
  for (const client of clients) {
    let octets = 0;
    for await (const piece of client) octets += (piece as Buffer).length;
    assert.ok(octets >= 8 * 1024 ** 2);
  }
  assert.equal(scene.unread(), 0);
});

/** All that buffers hold in this process, which is client, gateway and origin in one. */
function bufferedBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect === 'function') collect();
  return process.memoryUsage().arrayBuffers;
}

test(
  'what is counted of a stalled response is no less than what buffers hold of it',
  { timeout },
  async () => {
    const count = 24;
    await using scene = await openScene((socket) => endless(socket, 16 * 1024 ** 2));
    const clients: TLSSocket[] = [];
    const before = bufferedBytes();
    for (let i = 0; i < count; i += 1) {
      const client = await scene.path.tls(scene.at);
      clients.push(client.on('error', () => undefined));
      client.write(get(scene.at, '/'));
    }
    await waitUntil('all of them', () => scene.unread() === count * stalledResponseBytes);
    const each = (bufferedBytes() - before) / count;
    console.log(`${Math.round(each / 1024)} KiB of a stalled response`);
    for (const client of clients) client.destroy();
    assert.ok(each < stalledResponseBytes, `${each} octets`);
  },
);

test(
  'what is held back of a searched response is counted from before it is asked for',
  { timeout },
  async () => {
    let sent: TLSSocket | undefined;
    const respond = (socket: TLSSocket): void => {
      sent = socket;
      socket.write(`${head}Content-Length: 6\r\n\r\nab`);
    };
    await using scene = await openScene(respond, { inject: ', inject: key' });
    const client = await scene.path.tls(scene.at);
    client.write(get(scene.at, '/'));
    await waitUntil('the count', () => sent !== undefined);
    const window = scene.held();
    assert.ok(window > 0 && window % 64 === 0, `${window} octets`);
    sent?.end('cdef');
    const response = await sendRaw(client, '');
    assert.equal(response.body, 'abcdef');
    await scene.path.events(1);
    assert.equal(scene.held(), 0);
  },
);

test('a session without room for it gets 429, and its origin is not asked', { timeout }, async () => {
  const limits = { heldOctetsPerSessionMax: 63 };
  await using scene = await openScene((socket) => socket.end(`${head}\r\n`), {
    limits,
    inject: ', inject: key',
  });
  const response = await sendRaw(await scene.path.tls(scene.at), get(scene.at, '/'));
  assert.equal(response.status, 429);
  assert.match(response.body, /heldOctetsPerSessionMax/);
  assert.equal(scene.asked(), 0);
});

const text = 'hello, '.repeat(1000);
const coded: readonly (readonly [string, Buffer, string, number])[] = [
  ['Content-Encoding: gzip', gzipSync(text), ', inject: key', 64 * 1024],
  ['Content-Encoding: br', brotliCompressSync(text), ', inject: key', 4 * 1024 ** 2],
  ['Transfer-Encoding: gzip, chunked', gzipSync(text), '', 64 * 1024],
];

test('what decodes a response is counted while it does', { timeout }, async () => {
  for (const [field, body, inject, octetsMin] of coded) {
    const [start, end] = field.startsWith('Transfer')
      ? [`${body.length.toString(16)}\r\n`, '\r\n0\r\n\r\n']
      : ['', ''];
    let sent: TLSSocket | undefined;
    const respond = (socket: TLSSocket): void => {
      sent = socket;
      socket.write(`${head}Connection: close\r\n${field}\r\n\r\n${start}`);
      socket.write(body.subarray(0, -1));
    };
    await using scene = await openScene(respond, { inject });
    const client = await scene.path.tls(scene.at);
    client.write(get(scene.at, '/'));
    await waitUntil(`the decoder of ${field}`, () => scene.held() >= octetsMin);
    sent?.end(Buffer.concat([body.subarray(-1), Buffer.from(end)]));
    await sendRaw(client, '');
    const [event] = await scene.path.events(1);
    assert.equal(event?.verdict, 'allow', JSON.stringify(event));
    assert.equal(scene.held(), 0);
  }
});
