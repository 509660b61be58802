// Clients of the proxy listener that want to stay without being served.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import {
  basic,
  clearName,
  nextResponse,
  openProxyScene,
  originName,
  type ProxyScene,
} from './proxy-scene.ts';

/** Long enough for a handshake on a busy machine. */
const limits = { ...defaultLimits, headTimeoutMs: 1000, lingerTimeoutMs: 100, proxyStreamsPerSessionMax: 2 };

let scene: ProxyScene;
let target: string;

before(async () => {
  scene = await openProxyScene({ limits });
  target = `${originName}:${scene.origin.port}`;
});
after(async () => await scene[Symbol.asyncDispose]());

/** An octet now and then, until the gateway has had enough. */
async function drip(socket: TLSSocket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once('close', () => resolve());
  const timer = setInterval(() => socket.write('\0'), 20);
  await promise;
  clearInterval(timer);
}

test('a connection of HTTP/2 ends whose streams were all refused, though its client leaves them open', async () => {
  const session = connectHttp2(`https://localhost:${scene.port}`, { ca: scene.serverCa });
  session.on('error', () => undefined);
  const closed = once(session, 'close');
  const stream = session.request({ ':method': 'CONNECT', ':authority': target }, { endStream: false });
  stream.on('error', () => undefined);
  const [head] = await once(stream, 'response');
  assert.equal(head[':status'], 407);
  await closed;
});

test('a CONNECT that is refused for its hops ends, though its client goes on', async () => {
  const ca = scene.serverCa;
  const below = connectTcp({ port: scene.port, host: '127.0.0.1', allowHalfOpen: true });
  const socket = connectTls({ socket: below, ca, servername: 'localhost' });
  socket.on('error', () => undefined);
  const via = `Via: ${'1.1 hop, '.repeat(1500)}1.1 hop\r\n`;
  socket.write(`CONNECT ${target} HTTP/1.1\r\n${basic(scene.token())}${via}\r\nthe start of the tunnel`);
  assert.match(await nextResponse(socket), /^HTTP\/1\.1 400 /);
  await drip(socket);
});

test('a conversation of SOCKS has one deadline, however often an octet of it comes', async () => {
  const socket = await scene.connect();
  socket.write(Uint8Array.of(5, 255));
  await drip(socket);
  // With all of its methods it had been told that none of them is served.
  assert.equal(socket.bytesRead, 0);
  assert.equal(socket.read(), null);
});

test('one session has no more connections than its own, and another one still gets its first', async () => {
  const [busy, other] = [scene.token({ subject: 'busy' }), scene.token({ subject: 'other' })];
  const ask = async (token: string): Promise<string> => {
    const socket = await scene.connect();
    socket.write(`CONNECT ${target} HTTP/1.1\r\n${basic(token)}\r\n`);
    return await nextResponse(socket);
  };
  assert.match(await ask(busy), /^HTTP\/1\.1 200 /);
  assert.match(await ask(busy), /^HTTP\/1\.1 200 /);
  assert.match(await ask(busy), /^HTTP\/1\.1 429 [^]*proxyStreamsPerSessionMax/);
  assert.match(await ask(other), /^HTTP\/1\.1 200 /);
});

test('a plain request that is refused before it is read gets its refusal in words, and HEAD no body', async () => {
  await using slow = await openProxyScene({
    limits: { ...scene.config.limits, streamsPerSecondMax: 1, proxyStreamsPerSessionMax: 100 },
  });
  const token = slow.token();
  const url = slow.clearOrigin.url(clearName, '/hello');
  const responses: string[] = [];
  for (const method of ['GET', 'GET', 'GET', 'HEAD', 'HEAD', 'HEAD']) {
    const socket = await slow.connect();
    socket.end(`${method} ${url} HTTP/1.1\r\nHost: ${clearName}\r\nConnection: close\r\n${basic(token)}\r\n`);
    responses.push(await text(socket));
  }
  const refused = responses.filter((one) => !one.startsWith('HTTP/1.1 200 '));
  assert.ok(refused.length >= 3, responses.join('\n'));
  for (const one of refused)
    assert.match(
      one,
      /^HTTP\/1\.1 429 [^]*connection: close[^]*x-deny-reason: limit_exceeded[^]*retry-after: /,
    );
  assert.match(refused[0] ?? '', /\r\n\r\nupstreamproxy: the session may open 1 connections a second/);
  assert.match(refused.at(-1) ?? '', /content-length: \d+\r\n\r\n$/);
});
