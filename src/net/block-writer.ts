// Writes to a socket in blocks: what is written in one turn of the event loop leaves together, out of memory that is used again.

import { Buffer } from 'node:buffer';
import type { Duplex } from 'node:stream';

/** What a response without much of a body needs. */
const smallBlockBytes = 4096;
const largeBlockBytes = 64 * 1024;

interface Block {
  readonly bytes: Buffer;
  end: number;
}

/** The writing of one socket, which nobody else writes to meanwhile. What it is given is copied. */
export class BlockWriter {
  readonly #socket: Duplex;
  readonly #onWritten: () => void;
  #blocks: Block[] = [];
  #spares: Buffer[] = [];
  #waitingBytes = 0;
  #writes = 0;
  #isDue = false;
  #isBusy = false;

  /** `onWritten`: less waits than before. */
  constructor(socket: Duplex, onWritten: () => void) {
    this.#socket = socket;
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
    if (text.length > largeBlockBytes) return this.write(Buffer.from(text, 'latin1'));
    const block = this.#roomFor(text.length);
    if (block.bytes.length - block.end < text.length) return this.write(Buffer.from(text, 'latin1'));
    block.end += block.bytes.write(text, block.end, 'latin1');
    this.#wrote(text.length);
  }

  /** What waits leaves now, behind what is being written. */
  flush(): void {
    const blocks = this.#blocks;
    if (blocks.length === 0) return;
    this.#blocks = [];
    const bytes = blocks.reduce((sum, { end }) => sum + end, 0);
    this.#isBusy = bytes > largeBlockBytes / 2;
    this.#writes += 1;
    const last = blocks.length - 1;
    const written = (): void => this.#written(blocks, bytes);
    if (last > 0) this.#socket.cork();
    for (const [i, block] of blocks.entries()) {
      const filled = block.bytes.subarray(0, block.end);
      if (i === last) this.#socket.write(filled, written);
      else this.#socket.write(filled);
    }
    if (last > 0) this.#socket.uncork();
  }

  /** What waits is forgotten. */
  clear(): void {
    for (const { end } of this.#blocks.splice(0)) this.#waitingBytes -= end;
  }

  #wrote(length: number): void {
    this.#waitingBytes += length;
    if (this.#isDue || this.#writes > 0) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      if (this.#writes === 0 && !this.#socket.destroyed) this.flush();
    });
  }

  #written(blocks: readonly Block[], bytes: number): void {
    this.#writes -= 1;
    this.#waitingBytes -= bytes;
    if (this.#isBusy) this.#keep(blocks);
    else this.#spares = [];
    // One write at a time: Node's TLS joins what waits behind it by a copy.
    if (this.#writes === 0 && !this.#socket.destroyed) this.flush();
    this.#onWritten();
  }

  #keep(blocks: readonly Block[]): void {
    for (const { bytes } of blocks)
      if (bytes.length === largeBlockBytes && this.#spares.length < 2) this.#spares.push(bytes);
  }

  /** A block that has room for some of so many octets. */
  #roomFor(length: number): Block {
    const last = this.#blocks.at(-1);
    if (last !== undefined && last.end < last.bytes.length) return last;
    const isLarge = this.#isBusy || last !== undefined;
    const size = isLarge ? largeBlockBytes : Math.min(largeBlockBytes, Math.max(smallBlockBytes, length));
    const bytes = isLarge ? this.#spares.pop() : undefined;
    const block = { bytes: bytes ?? Buffer.allocUnsafe(size), end: 0 };
    this.#blocks.push(block);
    return block;
  }
}
