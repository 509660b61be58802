// Clients of the listener that end their side first, as `nc -N` and programs do that send all they have: the response still comes, whole.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { text } from 'node:stream/consumers';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { patienceMs } from '../../support/patience.ts';
import { waitUntil } from '../../support/program.ts';
import { httpOrigin, type Origin } from '../../support/origin.ts';
import { ask, basic, inTheClear, openProxyScene, type ProxyScene } from './proxy-scene.ts';

const timeout = patienceMs;
/** More than sockets hold, so that some of it is sent behind the end of the client. */
const long = 'x'.repeat(3_000_000);

let scene: ProxyScene;
let origin: Origin;
const waiting: ServerResponse[] = [];
/** Says how much came, and something long, once its client has ended. */
const counting = createServer({ allowHalfOpen: true }, (socket: Socket) => {
  let count = 0;
  socket.on('error', () => undefined).on('data', (chunk: Buffer) => (count += chunk.length));
  socket.on('end', () => socket.end(`${String(count)} octets ${long}`));
});

before(async () => {
  origin = await httpOrigin({ handler: (_request, response) => void waiting.push(response) });
  counting.listen(0, '127.0.0.1');
  await once(counting, 'listening');
  const addresses = '127.0.0.0/8';
  scene = await openProxyScene({
    rules: [
      { name: 'clear', hosts: 'clear.test', ports: [origin.port], scheme: 'http', addresses },
      { name: 'count', hosts: 'origin.test', ports: [countingPort()], scheme: 'tcp', addresses },
    ],
  });
});
after(async () => {
  await scene[Symbol.asyncDispose]();
  await origin[Symbol.asyncDispose]();
  counting.close();
});

// A TCP server's address is an object.
const countingPort = (): number => (counting.address() as AddressInfo).port;

async function connect(maxVersion: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3'): Promise<TLSSocket> {
  const socket = connectTls({
    port: scene.port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: scene.serverCa,
    maxVersion,
  });
  socket.allowHalfOpen = true;
  await once(socket, 'secureConnect');
  return socket;
}

const request = (method = 'GET'): string =>
  `${method} http://clear.test:${origin.port}/ HTTP/1.1\r\nHost: clear.test:${origin.port}\r\nConnection: close\r\n${basic(scene.token())}\r\n`;

for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
  test(
    `a tunnel whose client ends first carries on what comes back, over ${version}`,
    { timeout },
    async () => {
      const target = `origin.test:${countingPort()}`;
      const socket = await connect(version);
      assert.match(await ask(socket, target, basic(scene.token())), /^HTTP\/1\.1 200 /);
      socket.end('hello');
      assert.equal(await text(socket), `5 octets ${long}`);
      const all = await connect(version);
      // In one piece with the head of its CONNECT.
      all.end(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${basic(scene.token())}\r\nhello`);
      assert.match(await text(all), /^HTTP\/1\.1 200 [^]*\r\n\r\n5 octets x{3000000}$/);
    },
  );

test('a plain request whose client has ended gets its response, whole', { timeout }, async () => {
  const socket = await connect();
  socket.end(request());
  await once(socket, 'finish');
  await waitUntil('the origin is asked', () => waiting.length > 0);
  // What comes in behind it is served: the end of the other one was read before.
  assert.match(await inTheClear(scene.port, 'GET / HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 400 /);
  waiting.pop()?.end(long);
  const response = await text(socket);
  assert.match(response, /^HTTP\/1\.1 200 /);
  assert.ok(response.includes(long));
});

test('a client that ends in the middle of its head, or with it, is not kept', { timeout }, async () => {
  const cut = await connect();
  cut.end('GET http://clear.test/ HT');
  assert.equal(await text(cut).catch(() => ''), '');
  for (const fields of ['', basic('no.good.token')]) {
    const refused = await connect();
    refused.end(`GET http://clear.test/ HTTP/1.1\r\nHost: clear.test\r\n${fields}\r\n`);
    assert.match(await text(refused), /^HTTP\/1\.1 407 /);
  }
  const silent = await connect();
  silent.end();
  assert.equal(await text(silent), '');
  const opened = await connect();
  assert.match(await ask(opened, 'clear.test:443', basic(scene.token())), /^HTTP\/1\.1 200 /);
  opened.end();
  assert.equal(await text(opened), '');
});

test('a client that breaks off takes its request to the origin with it', { timeout }, async () => {
  const socket = await connect();
  socket.on('error', () => undefined).write(request());
  await waitUntil('the origin is asked', () => waiting.length > 0);
  const response = waiting.pop();
  const closed = once(response!, 'close');
  // Nobody reads what comes back: the next write to it is refused.
  socket.destroy();
  const more = setInterval(() => response?.write(long), 20);
  await closed;
  clearInterval(more);
});
