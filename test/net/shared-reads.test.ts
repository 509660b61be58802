// Reads of sockets into memory that is shared: what is handed on, what is kept of it, and the way back to an ordinary stream.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { afterEach, test } from 'node:test';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';

import { owned, ReadMemory, shareReads } from '../../src/net/shared-reads.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { socketPair, destroySockets } from './websocket-pair.ts';

afterEach(destroySockets);

const authority = createTestAuthority();
const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

/** Two ends of a connection, in TLS or not; it is the second one that reads. */
const pairs = {
  tcp: async () => {
    const { client, server } = await socketPair();
    return [client, server] as const;
  },
  tls: async () => {
    const server = createTlsServer(authority.issue('a.test')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = connectTls({ port, host: '127.0.0.1', servername: 'a.test', ca: authority.caPem });
    const [far] = (await once(server, 'secureConnection')) as [Socket];
    server.close();
    sockets.push(client, far);
    return [client, far] as const;
  },
} as const;

const never = (): boolean => false;

for (const [kind, open] of Object.entries(pairs)) {
  test(`${kind}: every read is a view of the same memory, in order and complete, and the end comes behind it`, async () => {
    const [near, far] = await open();
    const memory = new ReadMemory();
    const sent = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) & 0xff));
    const got: Buffer[] = [];
    // This runtime can: where it could not any more, all would still work, and cost more.
    const reads = shareReads(far, memory, (chunk) => {
      assert.equal(chunk.buffer, memory.bytes.buffer);
      got.push(Buffer.from(chunk));
    });
    assert.ok(reads !== undefined);
    reads.start(never);
    const ended = once(far, 'end');
    near.end(sent);
    await ended;
    assert.ok(Buffer.concat(got).equals(sent));
  });

  test(`${kind}: what had come before is handed on first`, async () => {
    const [near, far] = await open();
    near.write('early ');
    await once(far, 'readable');
    const texts: string[] = [];
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const reads = shareReads(far, new ReadMemory(), (chunk) => {
      texts.push(chunk.toString());
      if (texts.join('').endsWith('late')) resolve();
    });
    far.removeAllListeners('readable');
    reads?.start(never);
    near.write('late');
    await late;
    assert.equal(texts.join(''), 'early late');
  });

  test(`${kind}: a paused socket is not read, and goes on where it stopped`, async () => {
    const [near, far] = await open();
    const seen = { bytes: 0 };
    const reads = shareReads(far, new ReadMemory(), (chunk) => {
      seen.bytes += chunk.length;
      far.pause();
    });
    reads?.start(never);
    const all = 16 * 1024 * 1024;
    near.end(Buffer.alloc(all));
    while (seen.bytes === 0) await new Promise(setImmediate);
    for (let turn = 0; turn < 200; turn += 1) await new Promise(setImmediate);
    // One read of the system, and no more.
    assert.ok(seen.bytes <= 64 * 1024, `${seen.bytes} bytes were handed on`);
    while (!far.readableEnded) {
      far.resume();
      await new Promise(setImmediate);
    }
    assert.equal(seen.bytes, all);
  });

  test(`${kind}: given back, it is an ordinary stream, whose chunks are its own and whose end is seen`, async () => {
    const [near, far] = await open();
    const memory = new ReadMemory();
    const { promise: stopped, resolve } = Promise.withResolvers<void>();
    const reads = shareReads(far, memory, () => {
      far.pause();
      reads?.stop();
      resolve();
    });
    reads?.start(never);
    near.write('first');
    await stopped;
    // As whoever watches a socket without reading it does.
    const readable = once(far, 'readable');
    near.write('second');
    await readable;
    far.removeAllListeners('readable');
    const into = new PassThrough();
    far.pipe(into);
    const chunks: Buffer[] = [];
    far.on('data', (chunk: Buffer) => chunks.push(chunk));
    const ended = once(far, 'end');
    into.resume();
    near.end('third');
    await ended;
    assert.equal(Buffer.concat(chunks).toString(), 'secondthird');
    assert.ok(chunks.every((chunk) => chunk.buffer !== memory.bytes.buffer));
  });

  test(`${kind}: given back while it is handed what was there, it keeps the rest`, async () => {
    const [near, far] = await open();
    near.write('there');
    await once(far, 'readable');
    far.removeAllListeners('readable');
    const reads = shareReads(far, new ReadMemory(), () => reads?.stop());
    reads?.start(never);
    const data = once(far, 'data');
    near.write('then');
    assert.equal(String((await data)[0]), 'then');
  });
}

test('a stream that is no socket, or flows already, is left alone', async () => {
  assert.equal(
    shareReads(new PassThrough(), new ReadMemory(), () => undefined),
    undefined,
  );
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  sockets.push(socket);
  await once(socket, 'connect');
  socket.resume();
  assert.equal(
    shareReads(socket, new ReadMemory(), () => undefined),
    undefined,
  );
  server.close();
});

test('what is kept of shared memory is a copy, and of other memory the thing itself', () => {
  const { bytes } = new ReadMemory();
  bytes.write('abc');
  const view = bytes.subarray(0, 3);
  const kept = owned(view);
  bytes.write('xyz');
  assert.equal(Buffer.from(kept).toString(), 'abc');
  const own = Buffer.from('own');
  assert.equal(owned(own), own);
});
