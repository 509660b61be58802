// Writes to a socket in blocks.

import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';

import { BlockWriter } from '../../src/net/block-writer.ts';

/** A socket that shows what it is given, and takes it when it is told to. */
class SlowSocket extends Socket {
  readonly writes: Buffer[][] = [];
  /** The memory of what was written, which must not change before it is taken. */
  readonly underWay: { readonly buffers: readonly Buffer[]; readonly copies: readonly Buffer[] }[] = [];
  #done: (() => void) | undefined;
  isSlow = true;

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this._writev([{ chunk }], callback);
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], callback: () => void): void {
    const buffers = chunks.map(({ chunk }) => chunk);
    this.writes.push(buffers.map((buffer) => Buffer.from(buffer)));
    this.underWay.push({ buffers, copies: buffers.map((buffer) => Buffer.from(buffer)) });
    this.#done = callback;
    if (!this.isSlow) setImmediate(() => this.takeWrite());
  }

  takeWrite(): void {
    const done = this.#done;
    this.#done = undefined;
    for (const { buffers, copies } of this.underWay.splice(0))
      for (const [i, buffer] of buffers.entries()) assert.ok(buffer.equals(copies[i] ?? Buffer.alloc(0)));
    done?.();
  }
}

function writerOf(socket: SlowSocket, onWritten: () => void = () => undefined): BlockWriter {
  return new BlockWriter(socket, onWritten);
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('what is written in one turn leaves in one write, and what was given may change at once', async () => {
  const socket = new SlowSocket();
  const writer = writerOf(socket);
  const piece = Buffer.from('one ');
  writer.write(piece);
  piece.fill('x');
  writer.writeText('two ');
  writer.write(Buffer.from('three'));
  assert.equal(socket.writes.length, 0);
  await turn();
  await turn();
  assert.deepEqual(
    socket.writes.map((buffers) => Buffer.concat(buffers).toString()),
    ['one two three'],
  );
});

test('while a write is under way the next octets wait, are counted, and leave behind it', async () => {
  const socket = new SlowSocket();
  let told = 0;
  const writer = writerOf(socket, () => (told += 1));
  writer.write(Buffer.alloc(10));
  await turn();
  await turn();
  for (let i = 0; i < 5; i += 1) {
    writer.write(Buffer.alloc(50_000, i));
    await turn();
  }
  assert.equal(socket.writes.length, 1);
  assert.equal(writer.waitingBytes, 10 + 250_000);
  socket.isSlow = false;
  socket.takeWrite();
  while (writer.waitingBytes > 0) await turn();
  assert.equal(Buffer.concat(socket.writes.flat()).length, 10 + 250_000);
  assert.ok(told >= 2);
});

test('what is flushed leaves at once, behind what is under way', async () => {
  const socket = new SlowSocket();
  const writer = writerOf(socket);
  writer.writeText('first ');
  writer.flush();
  assert.equal(socket.writes.length, 1);
  writer.writeText('second');
  writer.flush();
  socket.isSlow = false;
  socket.takeWrite();
  while (writer.waitingBytes > 0) await turn();
  assert.equal(Buffer.concat(socket.writes.flat()).toString(), 'first second');
});

test('a block that was taken is filled again, and none before that', async () => {
  const socket = new SlowSocket();
  const writer = writerOf(socket);
  writer.writeText('one');
  writer.flush();
  const [one] = socket.underWay.flatMap(({ buffers }) => buffers);
  writer.writeText('two');
  socket.takeWrite();
  await turn();
  const [two] = socket.underWay.flatMap(({ buffers }) => buffers);
  assert.notEqual(two?.buffer, one?.buffer);
  writer.writeText('three');
  writer.flush();
  socket.takeWrite();
  await turn();
  const [three] = socket.underWay.flatMap(({ buffers }) => buffers);
  assert.equal(three?.buffer, one?.buffer);
});

test('of a stream that hands on what it is given no block is filled again', async () => {
  const [near, far] = duplexPair();
  const chunks: Buffer[] = [];
  far.on('data', (chunk: Buffer) => chunks.push(chunk));
  const writer = new BlockWriter(near, () => undefined);
  for (let i = 0; i < 9; i += 1) {
    writer.writeText(`${i}`);
    while (writer.waitingBytes > 0) await turn();
  }
  assert.equal(Buffer.concat(chunks).toString(), '012345678');
});

test('what is cleared never leaves', async () => {
  const socket = new SlowSocket();
  const writer = writerOf(socket);
  writer.writeText('nothing');
  writer.clear();
  assert.equal(writer.waitingBytes, 0);
  await turn();
  await turn();
  assert.equal(socket.writes.length, 0);
});

test('what waits behind a write leaves in blocks, one at a time: several would be joined by a copy', async () => {
  const socket = new SlowSocket();
  const writer = writerOf(socket);
  writer.write(Buffer.alloc(50_000));
  await turn();
  for (let i = 0; i < 5; i += 1) writer.write(Buffer.alloc(50_000, i));
  socket.isSlow = false;
  socket.takeWrite();
  while (writer.waitingBytes > 0) await turn();
  assert.deepEqual(
    socket.writes.map((buffers) => buffers.length),
    socket.writes.map(() => 1),
  );
});

test('all arrives in order and no memory is written into before it was taken, whatever is written when by two that share blocks', async () => {
  const step = fc.tuple(
    fc.integer({ min: 0, max: 1 }),
    fc.oneof(fc.integer({ min: 1, max: 150_000 }), fc.constant('turn'), fc.constant('flush')),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const sides = [new SlowSocket(), new SlowSocket()].map((socket) => {
        socket.isSlow = false;
        return { socket, writer: writerOf(socket), sent: [] as Buffer[] };
      });
      for (const [i, [which, one]] of steps.entries()) {
        const side = sides[which];
        if (one === 'turn') await turn();
        else if (one === 'flush') side?.writer.flush();
        else {
          const piece = Buffer.alloc(one as number, i);
          side?.writer.write(piece);
          side?.sent.push(piece);
        }
      }
      while (sides.some(({ writer }) => writer.waitingBytes > 0)) await turn();
      for (const { socket, sent } of sides)
        assert.ok(Buffer.concat(socket.writes.flat()).equals(Buffer.concat(sent)));
    }),
    { seed: 14, numRuns: 30 },
  );
});
