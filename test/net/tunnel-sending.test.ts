// What leaves by a stream of a tunnel: in order, whichever way it was given, and woken whatever was short.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { duplexPair } from 'node:stream';
import { afterEach, beforeEach, suite, test, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';

import { TunnelLink } from '../../src/net/tunnel-link.ts';
import { TunnelStream, type TunnelStreamHost } from '../../src/net/tunnel-stream.ts';
import { WebSocketConnection } from '../../src/net/websocket-connection.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { resourceBaseline, type ResourceBaseline, resourcesSettled } from '../support/resources.ts';

import { hashAll, readAll, someFields, tunnelPair } from './tunnel-pair.ts';
import { destroySockets } from './websocket-pair.ts';

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

/** A link that gives no turn by itself, and what left by it. */
function waitingLink(): { readonly host: TunnelStreamHost; readonly left: () => string } {
  let text = '';
  const host: TunnelStreamHost = {
    accept() {},
    refuse() {},
    requestSend() {},
    sendData(_streamId, data) {
      text += Buffer.from(data).toString('latin1');
      return data.length;
    },
    lacksCredit: () => false,
    sendDatagram: () => false,
    end: () => void (text += '.'),
    consumptionChanged() {},
    closed() {},
  };
  return { host, left: () => text };
}

/** Sends all that waits, also what Writable gives only after that. */
function giveTurns(stream: TunnelStream): void {
  for (let turn = 0; turn < 10; turn += 1) stream.sendPending(Infinity);
}

suite('order', () => {
  test('what is sent by call goes behind what Writable still buffers', () => {
    const { host, left } = waitingLink();
    const stream = new TunnelStream(host, 1, someFields);
    // The first is on its way; the second stays in Writable's buffer until the first has left.
    stream.write('1');
    stream.write('2');
    let drains = 0;
    stream.takeOver({ onData() {}, onDrain: () => void (drains += 1) });
    assert.equal(stream.send(Buffer.from('3')), false);
    assert.equal(stream.send(Buffer.from('4')), false);
    giveTurns(stream);
    assert.equal(left(), '1234');
    assert.equal(drains, 1);
    // With nothing before it, it goes straight again.
    stream.send(Buffer.from('5'));
    stream.write('6');
    stream.send(Buffer.from('7'));
    stream.end();
    giveTurns(stream);
    assert.equal(left(), '1234567.');
    stream.destroy();
  });

  test('a call while Writable is corked goes behind what was written', () => {
    const { host, left } = waitingLink();
    const stream = new TunnelStream(host, 1, someFields);
    stream.takeOver({ onData() {}, onDrain() {} });
    stream.cork();
    stream.write('1');
    stream.send(Buffer.from('2'));
    stream.uncork();
    giveTurns(stream);
    assert.equal(left(), '12');
    stream.destroy();
  });
});

suite('waking', () => {
  /** xorshift32: the same run for the same seed. */
  function randomOf(seed: number): (below: number) => number {
    let state = seed;
    return (below) => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state >>> 0) % below;
    };
  }

  /** Pieces of every size, and the hash of all. */
  function source(seed: number): {
    piece(): Buffer;
    readonly isOver: () => boolean;
    readonly hash: () => string;
  } {
    const random = randomOf(seed);
    const hash = createHash('sha256');
    let bytes = 0;
    return {
      piece() {
        const piece = Buffer.alloc(1 + random(30_000), random(256));
        hash.update(piece);
        bytes += piece.length;
        return piece;
      },
      isOver: () => bytes >= 2_000_000,
      hash: () => hash.digest('hex'),
    };
  }

  function sendByCalls(stream: TunnelStream, { piece, isOver }: ReturnType<typeof source>): void {
    let isFull = false;
    const go = (): void => {
      while (!isFull && !isOver()) {
        // A client's read is several pieces, of which the first may find no more room.
        for (let i = 0; i < 5; i += 1) isFull = !stream.send(piece());
      }
      if (isOver() && !stream.writableEnded) stream.end();
    };
    const onDrain = (): void => {
      isFull = false;
      go();
    };
    stream.takeOver({ onData() {}, onDrain });
    go();
  }

  async function sendByWrites(
    stream: TunnelStream,
    { piece, isOver }: ReturnType<typeof source>,
  ): Promise<void> {
    while (!isOver()) {
      stream.cork();
      for (let i = 0; i < 5; i += 1) stream.write(piece());
      stream.uncork();
      if (stream.writableNeedDrain) await once(stream, 'drain');
    }
    stream.end();
  }

  for (const way of ['calls', 'writes'] as const)
    for (const resumeBytesMax of [100_000, 128 * 1024])
      test(
        `several pieces by ${way} arrive where ${resumeBytesMax} bytes may be kept`,
        { timeout: 20_000 },
        async () => {
          for (let seed = 1; seed <= 2; seed += 1) {
            await using pair = await tunnelPair({
              isResumable: true,
              limits: { ...defaultLimits, resumeBytesMax },
            });
            const { near, far } = await pair.open();
            near.end();
            const arrives = hashAll(near);
            const from = source(seed);
            if (way === 'calls') sendByCalls(far, from);
            else await sendByWrites(far, from);
            assert.equal(await arrives, from.hash());
          }
        },
      );
});

suite('waiting', () => {
  /** How often anything of this process asks for its next turn, while nothing happens. */
  async function turnsAskedFor(context: TestContext): Promise<number> {
    // What was under way comes to rest.
    for (let i = 0; i < 100; i += 1) await turn();
    const calls = context.mock.method(globalThis, 'setImmediate').mock;
    for (let i = 0; i < 100; i += 1) await turn();
    calls.restore();
    return calls.callCount();
  }

  test('what waits for the next connection keeps no processor busy, and goes with it', async (context) => {
    await using pair = await tunnelPair({ isResumable: true });
    const { near, far } = await pair.open();
    const arrives = readAll(near);
    near.end();
    pair.gateway.detach();
    far.end('late');
    await pair.detached();
    assert.equal(await turnsAskedFor(context), 0);
    await pair.attach();
    assert.equal(String(await arrives), 'late');
  });

  test('what waits for a peer that reads keeps no processor busy', async (context) => {
    const [socket, peer] = duplexPair();
    socket._write = () => {};
    socket._writev = () => {};
    peer.resume();
    const webSocket = new WebSocketConnection({
      socket,
      role: 'client',
      zeroMask: true,
      limits: defaultLimits,
    });
    const link = new TunnelLink({ webSocket, role: 'agent', limits: defaultLimits });
    for (let i = 0; i < 50; i += 1) link.openStream(someFields).write(Buffer.alloc(60_000));
    assert.equal(await turnsAskedFor(context), 0);
    link.destroy();
  });
});
