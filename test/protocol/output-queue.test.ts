import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { encodeFrame } from '../../src/protocol/frame-codec.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { headroomBytes, type OutputBlock, OutputQueue } from '../../src/protocol/output-queue.ts';
import { SpareBlocks } from '../../src/protocol/spare-blocks.ts';
import { join, parseFrames } from './conversation.ts';

function queueOf(changes: Partial<typeof defaultLimits> = {}): OutputQueue {
  return new OutputQueue({ ...defaultLimits, ...changes });
}

function view({ bytes, start, end }: OutputBlock): Uint8Array {
  return bytes.subarray(start, end);
}

function take(queue: OutputQueue): OutputBlock {
  const block = queue.take();
  assert.ok(block !== undefined);
  return block;
}

describe('the output queue', () => {
  test('keeps frames in order, in one block with room in front of it', () => {
    const queue = queueOf();
    queue.pushControl({ type: 'accept', streamId: 1 });
    queue.pushData(1, Uint8Array.of(1, 2, 3), 100);
    queue.pushControl({ type: 'end', streamId: 1 });
    assert.equal(queue.bytes, 8 + 11 + 8);
    const block = take(queue);
    assert.equal(block.start, headroomBytes);
    assert.deepEqual(
      parseFrames([view(block)]).map(({ type }) => type),
      ['accept', 'data', 'end'],
    );
    assert.equal(queue.bytes, 0);
    assert.equal(queue.take(), undefined);
  });

  test('cuts data into frames of at most the limit', () => {
    const queue = queueOf();
    queue.pushData(1, new Uint8Array(25), 10);
    const sizes = parseFrames([view(take(queue))]).map((frame) => frame.type === 'data' && frame.data.length);
    assert.deepEqual(sizes, [10, 10, 5]);
  });

  test('gives whole frames only, within a message where they fit one', () => {
    const queue = queueOf({ messageBytesMax: 60 });
    queue.pushControl({ type: 'ping', nonce: 1 });
    queue.pushData(1, new Uint8Array(100), 30);
    queue.pushControl({ type: 'end', streamId: 1 });
    const all = queue.bytes;
    const messages: Uint8Array[] = [];
    while (queue.bytes > 0) messages.push(view(take(queue)));
    assert.deepEqual(
      messages.map((message) => parseFrames([message]).map(({ type }) => type)),
      [['ping', 'data'], ['data'], ['data', 'data'], ['end']],
    );
    assert.equal(join(messages).length, all);
    const long = encodeFrame({ type: 'reset', streamId: 1, code: 1, message: 'x'.repeat(100) });
    queue.pushEncodedControl(long);
    assert.deepEqual(view(take(queue)), long);
  });

  test('bounds control frames, and counts only what still waits', () => {
    const queue = queueOf({ controlQueueBytesMax: 30, messageBytesMax: 16 });
    const ping = { type: 'ping', nonce: 1 } as const;
    queue.pushControl(ping);
    queue.pushControl(ping);
    take(queue);
    queue.pushData(1, new Uint8Array(1000), 1000);
    queue.pushControl(ping);
    assert.throws(() => queue.pushControl(ping), { code: 'limit_exceeded', message: /controlQueueBytesMax/ });
    while (queue.take() !== undefined);
    queue.pushControl(ping);
  });

  test("writes into a block again once it was given back, and into none that is still another one's", () => {
    const queue = queueOf();
    queue.pushData(1, new Uint8Array(300_000).fill(1), 65_536);
    const first = take(queue);
    const copy = Uint8Array.from(view(first));
    queue.pushData(1, new Uint8Array(600_000).fill(2), 65_536);
    const later: OutputBlock[] = [];
    while (queue.bytes > 0) later.push(take(queue));
    assert.deepEqual(view(first), copy);
    assert.equal(new Set([first, ...later].map(({ bytes }) => bytes)).size, later.length + 1);
    queue.giveBack(first);
    // A second time it is nobody's to give.
    queue.giveBack(first);
    queue.pushData(1, new Uint8Array(300_000), 65_536);
    const [one, two] = [take(queue), take(queue)];
    assert.equal(one.bytes, first.bytes);
    assert.notEqual(two.bytes, first.bytes);
  });

  test('keeps little memory for what comes next, and none once it was quiet', () => {
    const queue = queueOf();
    queue.pushData(1, new Uint8Array(4_000_000), 65_536);
    const blocks: OutputBlock[] = [];
    while (queue.bytes > 0) blocks.push(take(queue));
    for (const block of blocks) queue.giveBack(block);
    const known = new Set(blocks.map(({ bytes }) => bytes));
    queue.pushData(1, new Uint8Array(4_000_000), 65_536);
    const again: OutputBlock[] = [];
    while (queue.bytes > 0) again.push(take(queue));
    assert.equal(again.filter(({ bytes }) => known.has(bytes)).length, 3);
    for (const block of again) queue.giveBack(block);
    queue.dropSpares();
    queue.pushControl({ type: 'ping', nonce: 1 });
    const small = take(queue);
    assert.ok(small.bytes.length < 20_000 && !again.some(({ bytes }) => bytes === small.bytes));
  });

  test('what many share is dropped once in a time, whichever of them asks', () => {
    const shared = new SpareBlocks(3);
    shared.keep(new Uint8Array(8));
    new OutputQueue(defaultLimits, shared).dropSpares();
    assert.notEqual(shared.take(8), undefined, 'one of them dropped what is for all');
    for (const [nowMs, isKept] of [
      [0, false],
      [999, true],
      [1000, false],
      [1500, true],
    ] as const) {
      shared.keep(new Uint8Array(8));
      shared.dropOnceIn(1000, nowMs);
      assert.equal(shared.take(8) !== undefined, isKept, String(nowMs));
    }
  });

  test('gives what was pushed, whatever is pushed, taken and given back between', () => {
    const step = fc.oneof(
      fc.record({ push: fc.integer({ min: 1, max: 400_000 }) }),
      fc.constant({ control: true }),
      fc.constant({ take: true }),
      fc.constant({ give: true }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = queueOf();
        const taken: OutputBlock[] = [];
        const got: Uint8Array[] = [];
        let [sent, fill] = [0, 0];
        const takeOne = (): void => {
          const block = queue.take();
          if (block === undefined) return;
          taken.push(block);
          got.push(Uint8Array.from(view(block)));
        };
        for (const one of steps) {
          if ('push' in one) {
            fill = (fill + 1) & 0xff;
            queue.pushData(fill + 1, new Uint8Array(one.push).fill(fill), 65_536);
            sent += one.push;
          } else if ('control' in one) queue.pushControl({ type: 'ping', nonce: 7 });
          else if ('take' in one) takeOne();
          else for (const block of taken.splice(0)) queue.giveBack(block);
        }
        while (queue.bytes > 0) takeOne();
        let received = 0;
        for (const message of got) {
          for (const frame of parseFrames([message])) {
            if (frame.type !== 'data') continue;
            received += frame.data.length;
            assert.ok(frame.data.every((octet) => octet === frame.streamId - 1));
          }
        }
        assert.equal(received, sent);
      }),
      { seed: 14, numRuns: 40 },
    );
  });
});
