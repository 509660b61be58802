// What a connection makes the gateway keep outside of its exchanges is bounded by one response, and counted.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { test } from 'node:test';
import type { Duplex } from 'node:stream';

import { ConnectionOctets } from '../../../src/gateway/front/connection-octets.ts';
import { HeldOctets, unreadBounds } from '../../../src/protocol/held-octets.ts';
import { defaultLimits, type Limits } from '../../../src/protocol/limits.ts';
import { httpsOrigin, type OriginOptions } from '../../support/origin.ts';
import { waitUntil } from '../../support/program.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openScene, overBoth } from '../support/connection-scene.ts';
import { openRequestPath, type RequestPath } from '../support/request-path.ts';

const session = 'session-alice';
const body = Buffer.alloc(48_000, 'x');
const handler: NonNullable<OriginOptions['handler']> = (_request, response) => {
  response.setHeader('content-length', body.length).end(body);
};

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
}

async function take(client: Duplex, octets: number): Promise<void> {
  let taken = 0;
  for await (const piece of client.iterator({ destroyOnReturn: false })) {
    taken += (piece as Buffer).length;
    if (taken >= octets) return;
  }
}

test('both parts are counted together, and what exceeds the bound is told by its name', () => {
  const limits = { ...defaultLimits, unreadOctetsPerSessionMax: 100 };
  const unread = new HeldOctets(limits, unreadBounds);
  const octets = new ConnectionOctets(unread, session);
  assert.equal(octets.ahead(60), undefined);
  assert.equal(octets.untaken(40), undefined);
  assert.equal(unread.all, 100);
  assert.equal(octets.ahead(61)?.limit, 'unreadOctetsPerSessionMax');
  assert.equal(octets.ahead(10), undefined);
  const { fault, end } = octets.addUntaken(51);
  assert.equal(fault?.limit, 'unreadOctetsPerSessionMax');
  end();
  assert.equal(unread.ofSession(session), 50);
  octets.ahead(0);
  octets.untaken(0);
  assert.equal(unread.all, 0);
});

overBoth('pipelined requests wait until their client takes the responses before them', async (over) => {
  await using scene = await openScene(over, { handler });
  const unread = (): number => scene.path.parts.unread.ofSession(session);
  const count = 200;
  const { client, connection } = await scene.open();
  for (let i = 0; i < count; i++) client.write(`GET /x HTTP/1.1\r\nHost: ${scene.at}\r\n\r\n`);
  await waitUntil('the count', () => unread() >= defaultLimits.stalledResponseBytes);
  await turns(300);
  const begun = scene.origin.requests.length;
  // What the tunnel and the sockets of this process take counts as taken.
  assert.ok(begun < count / 2, `${String(begun)} requests were begun`);
  await take(client, count * body.length);
  assert.equal(scene.origin.requests.length, count);
  await waitUntil('the count', () => unread() === 0);
  connection.close();
});

overBoth(
  'a client that never takes its responses is ended by the idle limit, and what it held is free',
  async (over) => {
    await using scene = await openScene(over, { handler });
    const unread = (): number => scene.path.parts.unread.ofSession(session);
    const { client, far, connection } = await scene.open();
    for (let i = 0; i < 200; i++) client.write(`GET /x HTTP/1.1\r\nHost: ${scene.at}\r\n\r\n`);
    await waitUntil('the count', () => unread() >= defaultLimits.stalledResponseBytes);
    connection.look(performance.now() + defaultLimits.clientKeepAliveMs + 1);
    assert.equal(far.destroyed, false);
    connection.look(performance.now() + defaultLimits.idleTimeoutMs + 1);
    await once(far, 'close');
    assert.equal(unread(), 0);
  },
);

overBoth('what is sent ahead of a response is counted until it is parsed', async (over) => {
  const { promise: held, resolve: release } = Promise.withResolvers<undefined>();
  await using scene = await openScene(over, {
    handler: (_request, response) => void held.then(() => response.end('late')),
  });
  const unread = (): number => scene.path.parts.unread.ofSession(session);
  const { client, far } = await scene.open();
  client.write(`GET /1 HTTP/1.1\r\nHost: ${scene.at}\r\n\r\n`);
  await waitUntil('the request', () => scene.origin.requests.length === 1);
  client.write(`POST /2 HTTP/1.1\r\nHost: ${scene.at}\r\nContent-Length: 30000\r\n\r\n${'x'.repeat(30_000)}`);
  await waitUntil('the count', () => unread() >= 30_000);
  release(undefined);
  client.resume();
  await waitUntil('the requests', () => scene.origin.requests.length === 2);
  await waitUntil('the count', () => unread() === 0);
  client.end();
  await once(far, 'close');
});

overBoth('a session over its bound gets the limit for what it sends ahead', async (over) => {
  await using scene = await openScene(over, {
    handler: () => undefined,
    limits: { unreadOctetsPerSessionMax: 10_000 },
  });
  const { client } = await scene.open();
  client.write(`GET /1 HTTP/1.1\r\nHost: ${scene.at}\r\n\r\n`);
  await waitUntil('the request', () => scene.origin.requests.length === 1);
  client.write('x'.repeat(20_000));
  client.on('error', () => undefined).resume();
  const [event] = await scene.path.events(1);
  assert.deepEqual([event?.errorCode, event?.limit], ['limit_exceeded', 'unreadOctetsPerSessionMax']);
  await waitUntil('the count', () => scene.path.parts.unread.all === 0);
});

interface Http2Scene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly client: ClientHttp2Session;
}

/** A client of HTTP/2 whose streams have no window. */
async function openHttp2(limits: Partial<Limits> = {}): Promise<Http2Scene> {
  const authority = createTestAuthority();
  const origin = await httpsOrigin({ authority, handler });
  const path = openRequestPath({
    policy: `rules: [{ name: a, hosts: allowed.test, ports: ${String(origin.port)}, addresses: 127.0.0.0/8 }]`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
    limits,
  });
  const at = `allowed.test:${String(origin.port)}`;
  const socket = await path.tls(at, { alpn: ['h2'] });
  const settings = { initialWindowSize: 0 };
  const client = connectHttp2(`https://${at}`, { createConnection: () => socket, settings });
  client.on('error', () => undefined);
  return {
    path,
    client,
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      await path[Symbol.asyncDispose]();
      await origin[Symbol.asyncDispose]();
    },
  };
}

test('responses over HTTP/2 that wait for a window are counted until their streams close', async () => {
  await using scene = await openHttp2();
  const unread = (): number => scene.path.parts.unread.ofSession(session);
  const count = 20;
  let octets = 0;
  const ended = Array.from({ length: count }, async () => {
    const stream = scene.client.request({ ':path': '/x' });
    stream.on('data', (piece: Buffer) => (octets += piece.length)).on('error', () => undefined);
    await once(stream, 'close');
  });
  await scene.path.events(count);
  await waitUntil('the count', () => unread() === count * body.length);
  scene.client.settings({ initialWindowSize: 1024 * 1024 });
  await Promise.all(ended);
  assert.equal(octets, count * body.length);
  await waitUntil('the count', () => unread() === 0);
});

test('a response over HTTP/2 that would wait above the bound is cut off', async () => {
  await using scene = await openHttp2({ unreadOctetsPerSessionMax: body.length });
  const codes = Array.from({ length: 2 }, async () => {
    const stream = scene.client.request({ ':path': '/x' });
    stream.on('error', () => undefined).resume();
    await new Promise((resolve) => stream.once('close', resolve));
    return stream.rstCode;
  });
  const events = await scene.path.events(3);
  const limits = events.map(({ limit }) => limit).filter((limit) => limit !== undefined);
  assert.deepEqual(limits, ['unreadOctetsPerSessionMax']);
  assert.notEqual(await Promise.race(codes), 0);
  scene.client.destroy();
  await Promise.all(codes);
  await waitUntil('the count', () => scene.path.parts.unread.all === 0);
});
