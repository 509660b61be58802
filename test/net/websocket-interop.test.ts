// Against the `ws` package, in both roles: an implementation that others use and that knows nothing of ours.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { afterEach, beforeEach, suite, test } from 'node:test';

import { WebSocket, WebSocketServer } from 'ws';

import { acceptWebSocket, connectWebSocket } from '../../src/net/websocket-handshake.ts';
import type { WebSocketConnection } from '../../src/net/websocket-connection.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { patternBlock } from '../support/pattern-bytes.ts';
import { resourceBaseline, resourcesSettled } from '../support/resources.ts';
import type { ResourceBaseline } from '../support/resources.ts';

import { Recorder } from './websocket-pair.ts';

const subprotocol = 'interop.v1';
const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 300_000];
const messages = lengths.map((length) =>
  Buffer.concat([
    patternBlock(1),
    patternBlock(2),
    patternBlock(3),
    patternBlock(4),
    patternBlock(5),
  ]).subarray(0, length),
);
const isBun = process.versions['bun'] !== undefined;

let baseline: ResourceBaseline;
const cleanUps: (() => void)[] = [];
beforeEach(() => {
  baseline = resourceBaseline();
});
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
  await resourcesSettled(baseline);
});

/** Our client to a server of `ws`. */
async function ourClient(): Promise<{ client: WebSocketConnection; peer: WebSocket }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => subprotocol });
  cleanUps.push(() => server.close());
  await once(server, 'listening');
  const socket = net.connect({
    port: (server.address() as net.AddressInfo).port,
    host: '127.0.0.1',
    allowHalfOpen: true,
  });
  cleanUps.push(() => socket.destroy());
  const arrived = once(server, 'connection') as Promise<[WebSocket]>;
  await once(socket, 'connect');
  const options = {
    host: 'gateway.test',
    path: '/',
    subprotocols: [subprotocol],
    headers: [],
    limits: defaultLimits,
  };
  const client = await connectWebSocket({ ...options, socket });
  const [peer] = await arrived;
  return { client, peer };
}

/** A client of `ws` to our server. */
async function ourServer(): Promise<{ server: WebSocketConnection; peer: WebSocket }> {
  const listener = http.createServer().listen(0, '127.0.0.1');
  cleanUps.push(() => listener.close());
  await once(listener, 'listening');
  const { promise, resolve } = Promise.withResolvers<WebSocketConnection>();
  listener.on('upgrade', (request, socket, head) => {
    cleanUps.push(() => socket.destroy());
    const options = { subprotocols: [subprotocol], allowZeroMask: true, limits: defaultLimits };
    resolve(acceptWebSocket({ ...options, request, socket, head }));
  });
  // Offers permessage-deflate, which must not be taken.
  const peer = new WebSocket(`ws://127.0.0.1:${(listener.address() as net.AddressInfo).port}/`, [
    subprotocol,
  ]);
  const server = await promise;
  await once(peer, 'open');
  return { server, peer };
}

async function exchange(own: WebSocketConnection, peer: WebSocket): Promise<void> {
  const recorder = new Recorder();
  own.start(recorder);
  peer.on('message', (data, isBinary) => {
    assert.equal(isBinary, true);
    peer.send(data);
  });
  for (const message of messages) own.sendBinary([message.subarray(0, 10), message.subarray(10)]);
  const echoes = await recorder.received(messages.length);
  for (const [i, message] of messages.entries())
    assert.ok(echoes[i]!.equals(message), `message of ${message.length} bytes`);
  const ponged = once(peer, 'pong');
  peer.ping('x');
  await ponged;
  own.ping();
  peer.send(Buffer.from('a'), { fin: false });
  peer.send(Buffer.from('b'), { fin: true });
  assert.equal(String((await recorder.received(messages.length + 1)).at(-1)), 'ab');
  const closed = once(peer, 'close') as Promise<[number, Buffer]>;
  await own.close(3001, 'enough');
  const [code, reason] = await closed;
  assert.deepEqual([code, String(reason)], [3001, 'enough']);
  assert.equal(await recorder.closed, undefined);
  assert.equal(recorder.pongs, 1);
}

suite('interoperation with ws', { skip: isBun ? 'ws is a shim of the runtime here' : false }, () => {
  test('our client, its server', async () => {
    const { client, peer } = await ourClient();
    assert.equal(client.subprotocol, subprotocol);
    await exchange(client, peer);
  });

  test('our server, its client', async () => {
    const { server, peer } = await ourServer();
    assert.equal(peer.extensions, '');
    await exchange(server, peer);
  });

  test('its close reaches us', async () => {
    const { client, peer } = await ourClient();
    const recorder = new Recorder();
    client.start(recorder);
    peer.close(1000);
    assert.equal(await recorder.closed, undefined);
    await once(peer, 'close');
  });

  test('its text message is refused with 1003', async () => {
    const { server, peer } = await ourServer();
    const recorder = new Recorder();
    server.start(recorder);
    const closed = once(peer, 'close') as Promise<[number]>;
    peer.send('text');
    assert.equal((await recorder.closed)?.code, 'websocket_malformed');
    assert.equal((await closed)[0], 1003);
  });

  test('its message above our limit is refused with 1009', async () => {
    const { server, peer } = await ourServer();
    server.start(new Recorder());
    const closed = once(peer, 'close') as Promise<[number]>;
    peer.on('error', () => undefined);
    peer.send(Buffer.alloc(defaultLimits.messageBytesMax + 1));
    assert.equal((await closed)[0], 1009);
  });
});
