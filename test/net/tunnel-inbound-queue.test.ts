import assert from 'node:assert/strict';
import test from 'node:test';

import { compact, TunnelInboundQueue } from '../../src/net/tunnel-inbound-queue.ts';
import { seeded } from '../support/seeded.ts';

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

/** Any part of it tells where it is from. */
const pattern = Buffer.from(Array.from({ length: 20_000 }, (_, index) => index % 251));

/** A view of a memory that is no piece of its own, as reads give them. */
function viewOf(from: number, length: number): Uint8Array {
  const memory = Buffer.alloc(3 * length + 1);
  pattern.copy(memory, 0, from % 251, (from % 251) + length);
  return memory.subarray(0, length);
}

function isWhole(piece: Uint8Array, from: number): boolean {
  return pattern.subarray(from % 251, (from % 251) + piece.length).equals(piece);
}

test('what waits is handed on whole, and what was taken for good stays as it is', () => {
  const random = seeded(14);
  const queue = new TunnelInboundQueue();
  const kept: { readonly piece: Uint8Array; readonly from: number }[] = [];
  let pushed = 0;
  let taken = 0;
  const push = (): void => {
    if (pushed - taken > 1_000_000) return;
    const data = viewOf(pushed, 1 + Math.floor(random() * (random() < 0.2 ? 3000 : 16_000)));
    queue.pushLent(data);
    pushed += data.length;
  };
  const handOn = (): boolean =>
    queue.handOn({
      onData: (piece) => {
        assert.ok(isWhole(piece, taken));
        taken += piece.length;
      },
    });
  for (let turn = 0; turn < 150; turn += 1) {
    for (let count = random() * 90; count > 0; count -= 1) push();
    for (let count = random() * 40; count > 0; count -= 1) {
      if (random() < 0.99) handOn();
      else {
        const piece = queue.shift();
        if (piece !== undefined && kept.length < 30) kept.push({ piece, from: taken });
        taken += piece?.length ?? 0;
      }
    }
    assert.equal(queue.bytes, pushed - taken);
  }
  while (handOn());
  assert.equal(taken, pushed);
  for (const { piece, from } of kept) assert.ok(isWhole(piece, from), 'a piece changed after it was taken');
});

test('a piece stays as it is while it is looked at, though all behind it is taken and more comes', () => {
  const queue = new TunnelInboundQueue();
  let pushed = 0;
  const push = (until: number): void => {
    for (; pushed < until; pushed += 10_000) queue.pushLent(viewOf(pushed, 10_000));
  };
  push(1_200_000);
  let taken = 0;
  const handOn = (depth: number): boolean =>
    queue.handOn({
      onData: (piece) => {
        const from = taken;
        taken += piece.length;
        if (depth === 0 && piece.length > 10_000) {
          for (let count = 0; count < 20; count += 1) handOn(1);
          push(taken + 900_000);
        }
        assert.ok(isWhole(piece, from));
      },
    });
  for (let count = 0; count < 100; count += 1) handOn(0);
  while (handOn(1));
  assert.equal(taken, pushed);
});

function fill(): TunnelInboundQueue {
  const queue = new TunnelInboundQueue();
  for (let from = 0; from < 330_000; from += 10_000) queue.pushLent(viewOf(from, 10_000));
  return queue;
}

function isLent(queue: TunnelInboundQueue): boolean {
  return drain(queue).some(({ length }) => length > 10_000);
}

test('so many streams have large blocks, and those of a stream that is over are had by another one', () => {
  const queues = Array.from({ length: 64 }, fill);
  assert.equal(isLent(fill()), false);
  for (const queue of queues) queue.clear();
  assert.equal(isLent(fill()), true);
});

test('a block whose last piece somebody failed at is no longer counted', () => {
  const failing = {
    onData: () => {
      throw new Error('no');
    },
  };
  for (let count = 0; count < 64; count += 1) {
    const queue = fill();
    while (queue.bytes > 0) assert.throws(() => queue.handOn(failing), /no/);
  }
  assert.equal(isLent(fill()), true);
});
