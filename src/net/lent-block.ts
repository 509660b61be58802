// Memory for what waits for a slow reader, which is filled again: a buffer for each piece of it lives long enough to cost full collections.

import { Buffer } from 'node:buffer';

import { blockBytes } from '../protocol/output-queue.ts';
import { lend, takeBack } from './shared-reads.ts';
import { sharedBlocks } from './spare-memory.ts';

/** What is handed on at a time: as much as TLS gives. */
const pieceBytesMax = 16 * 1024;
/** So many of them, over all streams: a few octets keep all of a block, and that is counted nowhere else. */
const countMax = 64;
let count = 0;

/** A part of a stream's queue. Its memory is that of any tunnel once all of it was handed on. */
export class LentBlock {
  static readonly bytesMin = blockBytes;
  readonly #bytes = lend(sharedBlocks.take(blockBytes) ?? Buffer.allocUnsafeSlow(blockBytes));
  #start = 0;
  #end = 0;
  /** Pieces of it that somebody looks at. */
  #inUse = 0;
  #isCounted = true;

  /** Undefined where there are enough of them. */
  static create(): LentBlock | undefined {
    if (count >= countMax) return undefined;
    count += 1;
    return new LentBlock();
  }

  get isEmpty(): boolean {
    return this.#start === this.#end;
  }

  hasRoomFor(length: number): boolean {
    return this.#end + length <= this.#bytes.length;
  }

  push(data: Uint8Array): void {
    this.#bytes.set(data, this.#end);
    this.#end += data.length;
  }

  next(): Buffer {
    const start = this.#start;
    this.#start = Math.min(this.#end, start + pieceBytesMax);
    const { buffer, byteOffset } = this.#bytes;
    return Buffer.from(buffer, byteOffset + start, this.#start - start);
  }

  /** Hands on what `next` gave, which holds until the sink returns. */
  handOn(piece: Buffer, sink: { onData(piece: Buffer): void }): void {
    this.#inUse += 1;
    let isBack = false;
    try {
      sink.onData(piece);
      isBack = true;
    } finally {
      this.#inUse -= 1;
      // Whoever failed may have kept it, and nobody comes back to what is empty.
      if (!isBack && this.isEmpty) this.giveAway();
    }
    // Whoever takes a piece may take the next ones inside of that, or keep them from then on.
    if (this.#isCounted) takeBack(piece);
    if (this.#inUse > 0 || !this.isEmpty || !this.#isCounted) return;
    this.giveAway();
    sharedBlocks.keep(this.#bytes);
  }

  /** From now on it is somebody's who may keep it, or nobody's. */
  giveAway(): void {
    if (this.#isCounted) count -= 1;
    this.#isCounted = false;
  }
}
