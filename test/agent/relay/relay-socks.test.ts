// SOCKS5 on the relay: the same connection as by CONNECT, and the same words for what is refused.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { ProxyError } from '../../../src/protocol/error.ts';
import { readAll } from '../../net/tunnel-pair.ts';
import { closedOf, relayFixture } from '../support/relay-fixture.ts';

const greeting = [5, 1, 0];
const toName = (name: string, port = 443): number[] => [
  5,
  1,
  0,
  3,
  name.length,
  ...Buffer.from(name),
  port >> 8,
  port & 255,
];
const succeeded = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];

/** What the socket gives, up to so many octets or its end. */
async function octets(socket: Socket, count: number): Promise<number[]> {
  const got: number[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const onData = (chunk: Buffer): void => {
    got.push(...chunk);
    if (got.length >= count) resolve();
  };
  socket.on('data', onData).once('end', resolve).once('close', resolve);
  await promise;
  socket.off('data', onData);
  return got;
}

async function client(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

test('a name goes to the gateway as a name, with all octets behind the request', async () => {
  await using fixture = await relayFixture();
  const socket = await client(fixture.relay.port);
  socket.write(Uint8Array.from([...greeting, ...toName('Origin.Test'), ...Buffer.from('first')]));
  assert.deepEqual(await octets(socket, 12), [5, 0, ...succeeded]);
  const stream = await fixture.nextStream();
  assert.deepEqual(stream.fields, { authority: 'origin.test:443', mode: 'raw' });
  socket.end(' second');
  assert.equal((await readAll(stream)).toString(), 'first second');
  socket.destroy();
});

test('octets may come one by one', async () => {
  await using fixture = await relayFixture();
  const socket = await client(fixture.relay.port);
  socket.setNoDelay(true);
  for (const octet of [...greeting, ...toName('origin.test', 8080)]) {
    socket.write(Uint8Array.of(octet));
    await new Promise(setImmediate);
  }
  assert.deepEqual(await octets(socket, 12), [5, 0, ...succeeded]);
  assert.equal((await fixture.nextStream()).fields.authority, 'origin.test:8080');
  socket.destroy();
});

test('BIND, UDP, a log-in, malformed names and another version open nothing, and end the connection', async () => {
  await using fixture = await relayFixture();
  for (const [sent, told] of [
    [
      [...greeting, 5, 2, ...toName('a.test').slice(2)],
      [5, 0, 5, 7],
    ],
    [
      [...greeting, 5, 3, ...toName('a.test').slice(2)],
      [5, 0, 5, 7],
    ],
    [
      [5, 1, 2],
      [5, 255],
    ],
    [
      [...greeting, ...toName('a\0.test')],
      [5, 0, 5, 2],
    ],
    [
      [...greeting, 4, 1, 0, 1, 1, 1],
      [5, 0],
    ],
  ] as const) {
    const socket = await client(fixture.relay.port);
    socket.write(Uint8Array.from(sent));
    assert.deepEqual((await octets(socket, 99)).slice(0, 4), told);
    socket.destroy();
  }
  assert.equal(fixture.opened.length, 0);
});

test('without a tunnel the reply says that it failed', async () => {
  await using fixture = await relayFixture();
  fixture.down = new ProxyError('tunnel_lost', 'there is no tunnel');
  const socket = await client(fixture.relay.port);
  socket.write(Uint8Array.from([...greeting, ...toName('a.test')]));
  assert.deepEqual((await octets(socket, 12)).slice(0, 4), [5, 0, 5, 1]);
  socket.destroy();
});

test('a client that stops inside of its request is cut off in time', async () => {
  await using fixture = await relayFixture({ headTimeoutMs: 50, lingerTimeoutMs: 50 });
  const socket = await client(fixture.relay.port);
  socket.write(Uint8Array.from([...greeting, 5, 1]));
  socket.resume();
  await closedOf(socket.once('end', () => socket.end()));
  assert.equal(fixture.opened.length, 0);
});
