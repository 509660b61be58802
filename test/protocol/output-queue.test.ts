import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OutputQueue } from '../../src/protocol/output-queue.ts';
import { join, parseFrames } from './conversation.ts';

describe('the output queue', () => {
  test('keeps frames in order and data as it was given', () => {
    const queue = new OutputQueue(1000);
    const data = Uint8Array.of(1, 2, 3);
    queue.pushControl({ type: 'accept', streamId: 1 });
    queue.pushData(1, data, 100);
    queue.pushControl({ type: 'end', streamId: 1 });
    assert.equal(queue.bytes, 8 + 11 + 8);
    const parts = queue.take(Number.POSITIVE_INFINITY);
    assert.equal(parts[2]?.buffer, data.buffer);
    assert.deepEqual(
      parseFrames(parts).map(({ type }) => type),
      ['accept', 'data', 'end'],
    );
    assert.equal(queue.bytes, 0);
    assert.deepEqual(queue.take(Number.POSITIVE_INFINITY), []);
  });

  test('cuts data into frames of at most the limit', () => {
    const queue = new OutputQueue(1000);
    queue.pushData(1, new Uint8Array(25), 10);
    const sizes = parseFrames(queue.take(Number.POSITIVE_INFINITY)).map(
      (frame) => frame.type === 'data' && frame.data.length,
    );
    assert.deepEqual(sizes, [10, 10, 5]);
  });

  test('gives whole frames only, within the bytes asked for, and at least one', () => {
    const queue = new OutputQueue(1000);
    queue.pushControl({ type: 'ping', nonce: 1 });
    queue.pushData(1, new Uint8Array(100), 30);
    queue.pushControl({ type: 'end', streamId: 1 });
    const all = queue.bytes;
    const messages: Uint8Array[][] = [];
    while (queue.bytes > 0) messages.push(queue.take(60));
    assert.deepEqual(
      messages.map((parts) => parseFrames(parts).map(({ type }) => type)),
      [['ping', 'data'], ['data'], ['data', 'data'], ['end']],
    );
    assert.equal(join(messages.flat()).length, all);
    queue.pushData(1, new Uint8Array(100), 100);
    assert.equal(join(queue.take(5)).length, 108);
  });

  test('bounds control frames, and counts only what still waits', () => {
    const queue = new OutputQueue(30);
    const ping = { type: 'ping', nonce: 1 } as const;
    queue.pushControl(ping);
    queue.pushControl(ping);
    queue.take(12);
    queue.pushData(1, new Uint8Array(1000), 1000);
    queue.pushControl(ping);
    assert.throws(() => queue.pushControl(ping), { code: 'limit_exceeded', message: /controlQueueBytesMax/ });
    queue.take(Number.POSITIVE_INFINITY);
    queue.pushControl(ping);
  });
});
