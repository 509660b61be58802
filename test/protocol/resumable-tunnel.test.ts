import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Frame } from '../../src/protocol/frame.ts';
import { encodeFrame } from '../../src/protocol/frame-codec.ts';
import { HeldOctets } from '../../src/protocol/held-octets.ts';
import { defaultLimits, type Limits } from '../../src/protocol/limits.ts';
import { SpareBlocks } from '../../src/protocol/spare-blocks.ts';
import { TunnelConnection } from '../../src/protocol/tunnel-connection.ts';
import { drainEvents, outputOf, parseFrames, someFields } from './conversation.ts';

const KiB = 1024;

/** A gateway's end that keeps what is not acknowledged, to which the test speaks in frames. */
function gatewayEnd(changes: Partial<Limits> = {}, held = new HeldOctets(), blocks?: SpareBlocks) {
  const limits = { ...defaultLimits, ...changes };
  const spare = held.spare('one');
  const isResumable = true;
  const connection = new TunnelConnection({ role: 'gateway', limits, nowMs: 0, isResumable, spare, blocks });
  const hear = (...frames: readonly Frame[]): void => {
    for (const frame of frames) connection.receive(encodeFrame(frame), 0);
    connection.endOfMessage();
  };
  hear({ type: 'open', streamId: 1, fields: someFields });
  hear({ type: 'window', streamId: 1, bytes: 64 * KiB * KiB });
  hear({ type: 'window', streamId: 0, bytes: 64 * KiB * KiB });
  drainEvents(connection);
  return { connection, hear, held };
}

/** Sends until nothing is taken any more; gives the octets. */
function sendAll(connection: TunnelConnection): number {
  const piece = new Uint8Array(16 * KiB);
  let sum = 0;
  for (let taken = 1; taken > 0; sum += taken) {
    taken = connection.sendData(1, piece);
    outputOf(connection);
  }
  return sum;
}

const failureOf = (connection: TunnelConnection): string | undefined =>
  drainEvents(connection)
    .map((event) => (event.type === 'failed' ? event.error.code : undefined))
    .find((code) => code !== undefined);

describe('what is kept until it is acknowledged', () => {
  test('is bounded, and an ack makes room and tells who waits', () => {
    const { connection, hear } = gatewayEnd({ resumeBytesMax: 1024 * KiB });
    const sent = sendAll(connection);
    assert.ok(sent > 700 * KiB && sent <= 1024 * KiB, `${sent}`);
    hear({ type: 'ack', receivedBytes: BigInt(Math.floor(sent / 2)) });
    assert.deepEqual(
      drainEvents(connection).map(({ type }) => type),
      ['linkWritable'],
    );
    assert.ok(sendAll(connection) > 0);
  });

  for (const isDetached of [false, true])
    test(`is no memory of another tunnel before it was written, whatever the peer claims to have${isDetached ? ', nor when its link was lost' : ''}`, () => {
      const blocks = new SpareBlocks(32);
      const one = gatewayEnd({}, undefined, blocks);
      const other = gatewayEnd({}, undefined, blocks);
      const nextBlock = ({ connection }: typeof one) => {
        connection.sendData(1, new Uint8Array(250 * KiB));
        for (;;) {
          const block = connection.output.take();
          assert.ok(block !== undefined);
          if (block.end - block.start > 200 * KiB) return block;
          connection.output.giveBack(block);
        }
      };
      const written = nextBlock(one);
      if (isDetached) one.connection.detach();
      // Before the link has taken it.
      const receivedBytes = BigInt(written.end - written.start);
      if (isDetached) one.connection.attach(Number(receivedBytes), 0);
      else one.hear({ type: 'ack', receivedBytes });
      assert.notEqual(nextBlock(other).bytes, written.bytes);
      one.connection.output.giveBack(written);
      // Of a link that is gone nobody knows when it lets go.
      assert.equal(nextBlock(other).bytes === written.bytes, !isDetached);
    });

  test('is charged to the session, and given back when the tunnel ends', () => {
    const held = new HeldOctets();
    const { connection } = gatewayEnd({}, held);
    const before = held.all;
    const sent = sendAll(connection);
    assert.ok(held.all - before >= sent, `${held.all - before} for ${sent}`);
    connection.output.forget();
    assert.equal(held.all, before);
  });

  test('goes on slowly where the session may hold nothing more, and never stands still', () => {
    const held = new HeldOctets({ ...defaultLimits, heldOctetsPerSessionMax: 1, heldOctetsMax: 1 });
    const { connection, hear } = gatewayEnd({}, held);
    let sum = 0;
    let octets = 0;
    for (let round = 0; round < 5; round += 1) {
      const taken = sendAll(connection);
      assert.ok(taken > 0 && taken <= 256 * KiB, `${taken}`);
      sum += taken;
      octets = sum + (sum / (16 * KiB)) * 8;
      // All that was sent so far: data, a header for each frame, and the grant of the stream's first window.
      hear({ type: 'ack', receivedBytes: BigInt(Math.floor(octets / 2)) });
    }
    assert.equal(failureOf(connection), undefined);
  });

  test('ends the tunnel of a peer that provokes control frames and acknowledges nothing', () => {
    const { connection } = gatewayEnd({ resumeBytesMax: 4 * KiB, controlQueueBytesMax: 8 * KiB });
    const open = (streamId: number): Uint8Array =>
      encodeFrame({ type: 'open', streamId, fields: someFields });
    let code: string | undefined;
    for (let id = 2; id < 3000 && code === undefined; id += 1) {
      connection.receive(open(id), 0);
      connection.refuse(id, 5, 'no');
      outputOf(connection);
      code = failureOf(connection);
    }
    assert.equal(code, 'limit_exceeded');
  });
});

/** Memory of so many blocks that were being written, each on a link that was lost then. */
function blocksOfLostLinks(connection: TunnelConnection, links: number): WeakRef<Uint8Array>[] {
  return Array.from({ length: links }, () => {
    connection.ping(0);
    const block = connection.output.take();
    assert.ok(block);
    connection.detach();
    connection.output.giveBack(block);
    connection.attach(0, 0);
    return new WeakRef(block.bytes);
  });
}

test('a link that is lost while a frame of its own is written leaves nothing behind', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { connection } = gatewayEnd();
  outputOf(connection);
  connection.detach();
  connection.attach(0, 0);
  outputOf(connection);
  const blocks = blocksOfLostLinks(connection, 50);
  // What a WeakRef was asked for is held until the turn is over.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  const left = blocks.filter((block) => block.deref() !== undefined).length;
  assert.ok(left <= 3, `${left} of ${blocks.length} blocks`);
});

describe('a peer that lies about what it has', () => {
  for (const [what, counts] of [
    ['acknowledges what was never sent', [1_000_000n]],
    ['acknowledges more than any count', [2n ** 64n - 1n]],
    ['takes an acknowledgement back', [20n, 19n]],
  ] as const) {
    test(`ends its tunnel when it ${what}`, () => {
      const { connection, hear } = gatewayEnd();
      connection.sendData(1, new Uint8Array(100));
      outputOf(connection);
      for (const receivedBytes of counts) hear({ type: 'ack', receivedBytes });
      assert.equal(failureOf(connection), 'frame_unexpected');
    });
  }

  for (const count of [10, 1_000_000]) {
    test(`ends its tunnel when it wants to go on from ${count}`, () => {
      const { connection, hear } = gatewayEnd();
      connection.sendData(1, new Uint8Array(100));
      outputOf(connection);
      hear({ type: 'ack', receivedBytes: 30n });
      connection.detach();
      connection.attach(count, 0);
      assert.equal(failureOf(connection), 'frame_unexpected');
    });
  }
});

describe('a link that is silent', () => {
  test('is given up, and the tunnel is not', () => {
    const { connection } = gatewayEnd();
    connection.handleTimeout(defaultLimits.pingTimeoutMs + 1);
    assert.deepEqual(
      drainEvents(connection).map(({ type }) => type),
      ['silent'],
    );
    assert.equal(connection.streamCount, 1);
  });

  test('is given up sooner by the agent, which pings it more often', () => {
    const { resumablePingIntervalMs, resumablePingTimeoutMs } = defaultLimits;
    const agent = new TunnelConnection({ role: 'agent', limits: defaultLimits, nowMs: 0, isResumable: true });
    agent.handleTimeout(resumablePingIntervalMs);
    assert.deepEqual(
      parseFrames(outputOf(agent)).map(({ type }) => type),
      ['ping'],
    );
    agent.handleTimeout(resumablePingTimeoutMs);
    const [event] = drainEvents(agent);
    assert.ok(event?.type === 'silent');
    assert.match(event.error.message, /the gateway sent nothing for 12000 ms \(resumablePingTimeoutMs\)/);
  });

  test('an ack is said 25 ms after octets came, once, and never for an ack', () => {
    const { connection, hear } = gatewayEnd();
    outputOf(connection);
    const acks = (): number => parseFrames(outputOf(connection)).filter(({ type }) => type === 'ack').length;
    connection.handleTimeout(24);
    assert.equal(acks(), 0);
    connection.handleTimeout(25);
    assert.equal(acks(), 1);
    hear({ type: 'ack', receivedBytes: 0n }, { type: 'ping', nonce: 1 });
    connection.handleTimeout(1000);
    assert.equal(acks(), 0);
  });
});
