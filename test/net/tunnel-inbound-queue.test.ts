import assert from 'node:assert/strict';
import test from 'node:test';

import { compact, TunnelInboundQueue } from '../../src/net/tunnel-inbound-queue.ts';

function drain(queue: TunnelInboundQueue): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let piece = queue.shift(); piece !== undefined; piece = queue.shift()) pieces.push(piece);
  return pieces;
}

test('bytes come out in order, whatever the sizes of the pieces', () => {
  const queue = new TunnelInboundQueue();
  const pushed: Buffer[] = [];
  const out: Uint8Array[] = [];
  for (let i = 0; i < 2000; i += 1) {
    const piece = Buffer.alloc([1, 7, 0, 300, 2047, 2048, 5000, 70_000][(i * 5) % 8]!, i);
    pushed.push(Buffer.from(piece));
    queue.push(piece);
    if (i % 3 === 0) out.push(queue.shift() ?? new Uint8Array());
    assert.equal(queue.bytes, Buffer.concat(pushed).length - Buffer.concat(out).length);
    if (i % 50 === 0) {
      out.push(...drain(queue));
      assert.ok(Buffer.concat(out).equals(Buffer.concat(pushed)));
      pushed.length = 0;
      out.length = 0;
    }
  }
});

test('a million single bytes make a few hundred objects', () => {
  const queue = new TunnelInboundQueue();
  for (let i = 0; i < 1_048_576; i += 1) queue.push(Uint8Array.of(i));
  assert.ok(drain(queue).length <= 256);
});

test('a small view does not keep the chunk of the socket alive', () => {
  const chunk = Buffer.alloc(65_536);
  const queue = new TunnelInboundQueue();
  queue.push(chunk.subarray(0, 10));
  queue.push(chunk.subarray(0, 3000));
  for (const piece of drain(queue)) assert.notEqual(piece.buffer, chunk.buffer);
  assert.notEqual(compact(chunk.subarray(5, 100)).buffer, chunk.buffer);
});

test('a view of most of a chunk is kept without a copy', () => {
  const chunk = Buffer.alloc(65_536);
  const queue = new TunnelInboundQueue();
  queue.push(chunk.subarray(8));
  assert.equal(queue.shift()!.buffer, chunk.buffer);
});

test('a cleared queue is empty', () => {
  const queue = new TunnelInboundQueue();
  queue.push(Buffer.alloc(10));
  queue.push(Buffer.alloc(10_000));
  queue.clear();
  assert.equal(queue.bytes, 0);
  assert.equal(queue.shift(), undefined);
});
