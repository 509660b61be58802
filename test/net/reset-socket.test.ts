// Connections that are broken off in each state of their end: each is over, and its descriptor given back.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';

import { endsWithTls, resetSocket } from '../../src/net/reset-socket.ts';
import { createTestAuthority } from '../support/test-authority.ts';

async function connection(): Promise<readonly [near: Socket, far: Socket]> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server that listens on a port has an AddressInfo.
  const far = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [[near]] = (await Promise.all([once(server, 'connection'), once(far, 'connect')])) as [
    [Socket],
    unknown,
  ];
  server.close();
  return [near, far];
}

/** Gives what the other side saw. */
async function breakOff(prepare: (near: Socket) => unknown): Promise<string> {
  const [near, far] = await connection();
  const faults: unknown[] = [];
  near.on('error', (error) => faults.push(error));
  let seen = 'end';
  far.on('error', ({ message }) => (seen = message)).resume();
  const over = [once(near, 'close'), new Promise((resolve) => far.once('close', resolve))];
  await prepare(near);
  resetSocket(near);
  await Promise.all(over);
  assert.deepEqual(faults, []);
  return seen;
}

test('a connection is reset, also behind its end and while octets wait', async () => {
  assert.equal(await breakOff(() => undefined), 'read ECONNRESET');
  assert.equal(await breakOff((near) => near.write(Buffer.alloc(1e7))), 'read ECONNRESET');
  assert.equal(await breakOff((near) => near.end(Buffer.alloc(1e7))), 'read ECONNRESET');
});

test('a connection that has just been ended is over, with its end', async () => {
  assert.equal(await breakOff((near) => void near.end()), 'end');
  assert.equal(await breakOff(async (near) => void near.end()), 'end');
  assert.equal(
    await breakOff((near) => new Promise((resolve) => near.once('prefinish', resolve).end())),
    'end',
  );
});

test('a connection below TLS that has just sent its end is over, with its end', async () => {
  const [near, far] = await connection();
  const authority = createTestAuthority();
  const { key, cert } = authority.issue('near.test');
  const server = createTlsServer({ key, cert });
  const client = connectTls({ socket: far, servername: 'near.test', ca: authority.caPem });
  client.on('error', () => {});
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  server.emit('connection', near);
  const [[tls]] = await Promise.all([accepted, once(client, 'secureConnect')]);
  endsWithTls(near, tls);
  const faults: unknown[] = [];
  for (const socket of [near, tls]) socket.on('error', (error) => faults.push(error));
  const over = [near, far].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
  client.resume().write('x');
  await once(tls, 'data');
  tls.end();
  resetSocket(near);
  await Promise.all(over);
  assert.deepEqual(faults, []);
});
