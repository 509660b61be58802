import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { chunkStream } from '../../src/net/chunk-stream.ts';
import type { WebSocketConnection } from '../../src/net/websocket-connection.ts';
import { decodeChunk, encodeChunk } from '../../src/protocol/chunk-codec.ts';
import { ProxyError } from '../../src/protocol/error.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { patternHash, patternStream } from '../support/pattern-bytes.ts';
import { resourceBaseline, resourcesSettled } from '../support/resources.ts';
import type { ResourceBaseline } from '../support/resources.ts';

import { closed, hashAll, readAll } from './tunnel-pair.ts';
import { rawFrame, testMask } from './websocket-frames.ts';
import { destroySockets, Recorder, webSocketPair } from './websocket-pair.ts';

let baseline: ResourceBaseline;
beforeEach(() => {
  baseline = resourceBaseline();
});
afterEach(async () => {
  try {
    await resourcesSettled(baseline);
  } finally {
    destroySockets();
  }
});

async function chunkPair(): Promise<{ near: Duplex; far: Duplex }> {
  const pair = await webSocketPair();
  return { near: chunkStream(pair.client, defaultLimits), far: chunkStream(pair.server, defaultLimits) };
}

/** Our stream on one side, bare messages on the other. */
async function bareEnd(): Promise<{ stream: Duplex; peer: WebSocketConnection; recorder: Recorder }> {
  const pair = await webSocketPair();
  const recorder = new Recorder();
  pair.client.start(recorder);
  return { stream: chunkStream(pair.server, defaultLimits), peer: pair.client, recorder };
}

async function failure(stream: Duplex): Promise<Error> {
  const [error] = (await once(stream, 'error')) as [Error];
  return error;
}

test('a conversation runs in both directions and ends on both sides', async () => {
  const { near, far } = await chunkPair();
  near.write('CONNECT origin.test:443 HTTP/1.1\r\n\r\n');
  const [request] = (await once(far, 'data')) as [Buffer];
  assert.equal(String(request), 'CONNECT origin.test:443 HTTP/1.1\r\n\r\n');
  far.write('HTTP/1.1 200 OK\r\n\r\n');
  const [response] = (await once(near, 'data')) as [Buffer];
  assert.equal(String(response), 'HTTP/1.1 200 OK\r\n\r\n');
  far.resume();
  near.resume();
  far.end('bye');
  await Promise.all([closed(near), closed(far)]);
  assert.deepEqual([near.errored, far.errored], [null, null]);
});

for (const direction of ['up', 'down'] as const) {
  test(`bulk ${direction} arrives whole`, async () => {
    const { near, far } = await chunkPair();
    const [source, sink] = direction === 'up' ? [near, far] : [far, near];
    const bytes = 20_000_000;
    patternStream(bytes, 3).pipe(source);
    assert.equal(await hashAll(sink), patternHash(bytes, 3));
    source.resume();
    await Promise.all([closed(near), closed(far)]);
  });
}

test('a reader that takes nothing stops the writer', async () => {
  const { near, far } = await chunkPair();
  let taken = 0;
  const block = Buffer.alloc(64 * 1024);
  const write = (): void => {
    taken += block.length;
    near.write(block, (error) => {
      if (!(error instanceof Error) && taken < 1_000_000_000) write();
    });
  };
  write();
  // Writes go on until buffers and kernel are full: then the count stands still.
  let before = -1;
  for (let still = 0; still < 50; still = taken === before ? still + 1 : 0) {
    before = taken;
    await new Promise(setImmediate);
  }
  assert.ok(taken < 64 * 1024 * 1024, `${taken} bytes were taken`);
  assert.ok(far.readableLength <= 3 * 64 * 1024, `${far.readableLength} bytes are held`);
  near.destroy();
  far.destroy();
});

test('messages are protobuf chunks, in fragments too; an empty one keeps alive', async () => {
  const { stream, peer, recorder } = await bareEnd();
  peer.sendBinary(encodeChunk(Buffer.from('one ')));
  peer.sendBinary(encodeChunk(Buffer.alloc(0)));
  peer.sendBinary([]);
  peer.sendBinary(encodeChunk(Buffer.from('two')));
  stream.write('response');
  const [message] = await recorder.received(1);
  assert.equal(String(decodeChunk(message!)), 'response');
  const read = readAll(stream);
  void peer.close();
  assert.equal(String(await read), 'one two');
  await recorder.closed;
});

test('a write larger than a chunk is split, and no message is above the limit', async () => {
  const { stream, recorder } = await bareEnd();
  const bytes = Buffer.alloc(200_000, 5);
  stream.write(bytes);
  const messages = await recorder.received(4);
  assert.ok(Buffer.concat(messages.map((message) => Buffer.from(decodeChunk(message)))).equals(bytes));
  stream.destroy();
});

test('a message in fragments of one byte is put together', async () => {
  const pair = await webSocketPair();
  const stream = chunkStream(pair.server, defaultLimits);
  const message = Buffer.concat(encodeChunk(Buffer.from('in many pieces')));
  for (const [i, byte] of message.entries()) {
    const [opcode, fin] = [i === 0 ? 2 : 0, i === message.length - 1];
    pair.clientSocket.write(rawFrame({ opcode, fin, payload: Uint8Array.of(byte), mask: testMask }));
  }
  assert.deepEqual((await once(stream, 'data')).map(String), ['in many pieces']);
  stream.destroy();
  pair.client.destroy();
});

test('a message that is no chunk ends the stream with an error', async () => {
  const { stream, peer, recorder } = await bareEnd();
  peer.sendBinary([Buffer.from([0x0a, 0xff])]);
  const error = await failure(stream);
  assert.ok(error instanceof ProxyError);
  assert.equal(error.code, 'frame_malformed');
  assert.equal((await recorder.closed)?.code, 'tunnel_lost');
});

for (const error of [undefined, new Error('origin reset')]) {
  test(`destroying ${error === undefined ? 'before the end' : 'with an error'} is an error for the peer, never an end`, async () => {
    const { near, far } = await chunkPair();
    near.on('end', () => assert.fail('a dropped connection looked like an end'));
    near.resume();
    far.on('error', () => undefined);
    far.write('half a response');
    await once(near, 'data');
    far.destroy(error);
    assert.equal(((await failure(near)) as ProxyError).code, 'tunnel_lost');
  });
}

test('behind the close of the peer what came is read, and what waits to be written is dropped', async () => {
  const { stream, peer, recorder } = await bareEnd();
  peer.sendBinary(encodeChunk(Buffer.from('last')));
  peer.pause();
  stream.write(Buffer.alloc(32 * 1024 * 1024));
  void peer.close();
  await once(stream, 'readable');
  // The peer hears of nothing until it reads on, so the writes are still waiting now.
  peer.resume();
  await recorder.closed;
  assert.equal(String(await readAll(stream)), 'last');
  await closed(stream);
  assert.equal(stream.errored, null);
});

test('at the client an empty chunk goes out after silence, and only then', async () => {
  const pair = await webSocketPair();
  const recorder = new Recorder();
  pair.server.start(recorder);
  const stream = chunkStream(pair.client, defaultLimits, {
    client: { keepAliveMs: 1, endTimeoutMs: 60_000 },
  });
  stream.write('x');
  const empty = (): number => recorder.messages.filter((message) => decodeChunk(message).length === 0).length;
  while (empty() < 3) await new Promise((resolve) => setImmediate(resolve));
  const data = recorder.messages.filter((message) => decodeChunk(message).length > 0);
  assert.deepEqual(
    data.map((message) => String(decodeChunk(message))),
    ['x'],
  );
  stream.destroy();
});

test('at the client an end waits for what the peer still sends, and a peer that is silent is closed under an error', async () => {
  const pair = await webSocketPair();
  const near = chunkStream(pair.client, defaultLimits, { client: { keepAliveMs: 60_000, endTimeoutMs: 40 } });
  const far = chunkStream(pair.server, defaultLimits);
  near.resume();
  near.end('request');
  const [request] = (await once(far, 'data')) as [Buffer];
  assert.equal(String(request), 'request');
  let ended = false;
  near.once('end', () => (ended = true));
  const error = (await failure(near)) as ProxyError;
  assert.deepEqual([error.code, error.limit], ['timeout', 'chunkEndTimeoutMs']);
  assert.equal(ended, false, 'what was cut never looks complete to the reader');
  // What was sent was complete, and that is what the peer learns.
  far.resume();
  await once(far, 'end');
  await closed(far);
});

test('at the client bytes that nobody has read yet are no silence of the peer', async (t) => {
  const pair = await webSocketPair();
  const near = chunkStream(pair.client, defaultLimits, { client: { keepAliveMs: 60_000, endTimeoutMs: 5 } });
  const far = chunkStream(pair.server, defaultLimits);
  far.resume();
  far.write('response');
  while (near.readableLength === 0) {
    near.read(0);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.mock.timers.enable({ apis: ['setTimeout'] });
  near.end();
  await once(near, 'finish');
  for (let turn = 0; turn < 3; turn++) t.mock.timers.tick(10);
  assert.equal(near.destroyed, false);
  assert.equal(String(near.read()), 'response');
  const failed = failure(near);
  for (let turn = 0; turn < 2; turn++) t.mock.timers.tick(10);
  assert.equal(((await failed) as ProxyError).code, 'timeout');
});

test('memory that is used again once its write has come back reaches a slow reader as it was', async () => {
  const { near, far } = await chunkPair();
  const total = 8 * 1024 * 1024;
  const block = Buffer.alloc(64 * 1024);
  const writing = (async () => {
    for (let sent = 0; sent < total; sent += block.length) {
      for (let at = 0; at < block.length; at += 4) block.writeUInt32BE(sent + at, at);
      await new Promise<void>((resolve, reject) => {
        far.write(block, (error) => (error ? reject(error) : resolve()));
      });
      block.fill(0xee);
    }
    far.end();
  })();
  let at = 0;
  let left = Buffer.alloc(0);
  for await (const piece of near as AsyncIterable<Buffer>) {
    left = Buffer.concat([left, piece]);
    for (; left.length >= 4; left = left.subarray(4), at += 4)
      if (left.readUInt32BE(0) !== at) assert.fail(`at ${at} stands ${left.readUInt32BE(0)}`);
    // The writer fills what there is between them.
    for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  }
  assert.equal(at, total);
  await writing;
});
