// Writes to a socket in blocks: what is written in one turn of the event loop leaves together, out of memory that is used again.

import { Buffer } from 'node:buffer';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** What a response without much of a body needs. */
const smallBlockBytes = 4096;
/** What is written at a time where no more is said. */
const blockBytesUsual = 64 * 1024;
/** So many octets in blocks of one size are kept for whoever writes next, over all sockets. */
const spareBytesMax = 2 * 1024 * 1024;

interface Block {
  readonly bytes: Buffer;
  end: number;
}

/** Blocks that were written, by their size: making one costs more than filling it, and then a collection. What is left in them never leaves. */
const spares = new Map<number, Buffer[]>();

const begin = Symbol('begin');

/** Who writes at the end of this turn of the event loop: a callback for each would cost as much as what it does. */
let due: BlockWriter[] = [];

function writeDue(): void {
  const writers = due;
  due = [];
  for (const writer of writers) writer[begin]();
}

/** The writing of one socket, which nobody else writes to meanwhile. What it is given is copied. */
export class BlockWriter {
  readonly #socket: Duplex;
  readonly #onWritten: () => void;
  readonly #blockBytes: number;
  /** What another kind of stream was given may be somebody else's when it says that it is written. */
  readonly #isFilledAgain: boolean;
  #blocks: Block[] = [];
  #waitingBytes = 0;
  #writes = 0;
  #isDue = false;
  #isBusy = false;

  /** `onWritten`: less waits than before. `blockBytes`: what is written at a time where much comes. */
  constructor(socket: Duplex, onWritten: () => void, blockBytes = blockBytesUsual) {
    this.#socket = socket;
    this.#blockBytes = blockBytes;
    this.#isFilledAgain = socket instanceof Socket;
    this.#onWritten = onWritten;
  }

  /** What the socket has not taken yet, here and in it. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  write(piece: Uint8Array): void {
    for (let offset = 0; offset < piece.length;) {
      const block = this.#roomFor(piece.length - offset);
      const length = Math.min(piece.length - offset, block.bytes.length - block.end);
      block.bytes.set(length === piece.length ? piece : piece.subarray(offset, offset + length), block.end);
      block.end += length;
      offset += length;
    }
    this.#wrote(piece.length);
  }

  /** As `write`, of a text in latin1. */
  writeText(text: string): void {
    if (text.length > this.#blockBytes) return this.write(Buffer.from(text, 'latin1'));
    const block = this.#roomFor(text.length);
    if (block.bytes.length - block.end < text.length) return this.write(Buffer.from(text, 'latin1'));
    block.end += block.bytes.write(text, block.end, 'latin1');
    this.#wrote(text.length);
  }

  /** What waits leaves now, behind what is being written. */
  flush(): void {
    while (this.#blocks.length > 0) this.#writeBlock();
  }

  /** What waits is forgotten. */
  clear(): void {
    for (const { end } of this.#blocks.splice(0)) this.#waitingBytes -= end;
  }

  #wrote(length: number): void {
    this.#waitingBytes += length;
    if (this.#isDue || this.#writes > 0) return;
    this.#isDue = true;
    due.push(this);
    if (due.length === 1) setImmediate(writeDue);
  }

  /** What waits is written, where nothing is being written. */
  [begin](): void {
    this.#isDue = false;
    this.#next();
  }

  /** One block at a time: Node's TLS joins what waits behind it by a copy. */
  #next(): void {
    if (this.#writes === 0 && this.#blocks.length > 0 && !this.#socket.destroyed) this.#writeBlock();
  }

  #writeBlock(): void {
    const block = this.#blocks.shift();
    if (block === undefined) return;
    this.#isBusy = block.end > blockBytesUsual / 2;
    this.#writes += 1;
    this.#socket.write(block.bytes.subarray(0, block.end), () => this.#written(block));
  }

  #written({ bytes, end }: Block): void {
    this.#writes -= 1;
    this.#waitingBytes -= end;
    const isUsual = bytes.length === smallBlockBytes || bytes.length === this.#blockBytes;
    if (isUsual && this.#isFilledAgain) keep(bytes);
    this.#next();
    this.#onWritten();
  }

  /** A block that has room for some of so many octets. */
  #roomFor(length: number): Block {
    const last = this.#blocks.at(-1);
    if (last !== undefined && last.end < last.bytes.length) return last;
    const isLarge = this.#isBusy || last !== undefined;
    const size = isLarge ? this.#blockBytes : Math.min(blockBytesUsual, Math.max(smallBlockBytes, length));
    const block = { bytes: blockOf(size), end: 0 };
    this.#blocks.push(block);
    return block;
  }
}

function blockOf(size: number): Buffer {
  return spares.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size);
}

function keep(bytes: Buffer): void {
  const same = spares.get(bytes.length);
  if (same === undefined) spares.set(bytes.length, [bytes]);
  else if ((same.length + 1) * bytes.length <= spareBytesMax) same.push(bytes);
}
