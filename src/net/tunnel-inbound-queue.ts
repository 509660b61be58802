// Received bytes that nobody has read yet, kept so that they cost about what they count: a view keeps the whole chunk of
// the socket alive, and an object for every byte costs a hundred times the byte.

import { Buffer } from 'node:buffer';

import { LentBlock } from './lent-block.ts';

/** From here on a piece is worth an object of its own. */
const pieceBytesMin = 2048;
const blockBytes = 4096;
/** `data` itself if it makes up most of its buffer, else a copy that does. */
export function compact(data: Uint8Array): Uint8Array {
  return data.byteLength * 2 >= data.buffer.byteLength ? data : new Uint8Array(data);
}

/** A queue of bytes: what is pushed comes out in order, in other pieces. The stream's window bounds it. */
export class TunnelInboundQueue {
  readonly #pieces: (Uint8Array | LentBlock)[] = [];
  /** Collects small pieces; the last of the queue. */
  #block: Buffer | undefined;
  #blockUsed = 0;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  push(data: Uint8Array): void {
    this.#bytes += data.length;
    if (data.length >= pieceBytesMin) {
      this.#append(compact(data));
      return;
    }
    if (this.#blockUsed + data.length > blockBytes) this.#closeBlock();
    this.#block ??= Buffer.allocUnsafeSlow(blockBytes);
    this.#block.set(data, this.#blockUsed);
    this.#blockUsed += data.length;
  }

  /** As `push`, of what `handOn` takes, as far as is known now. */
  pushLent(data: Uint8Array): void {
    const last = this.#block === undefined ? this.#pieces.at(-1) : undefined;
    let block = last instanceof LentBlock && last.hasRoomFor(data.length) ? last : undefined;
    if (block === undefined) {
      // Where less waits, so large a block costs more than what is in it.
      if (this.#bytes >= LentBlock.bytesMin && compact(data) !== data) block = LentBlock.create();
      if (block === undefined) return this.push(data);
      this.#append(block);
    }
    block.push(data);
    this.#bytes += data.length;
  }

  /** Takes the next piece, which is the taker's. */
  shift(): Uint8Array | undefined {
    if (this.#pieces.length === 0) this.#closeBlock();
    const first = this.#pieces[0];
    if (first instanceof LentBlock) {
      first.giveAway();
      return this.#nextOf(first);
    }
    this.#pieces.shift();
    this.#bytes -= first?.length ?? 0;
    return first;
  }

  /** Hands the next piece on, which holds until the sink returns. False: there is none. */
  handOn(sink: Pick<TunnelStreamSink, 'onData'>): boolean {
    const first = this.#pieces[0];
    if (first instanceof LentBlock) {
      first.handOn(this.#nextOf(first), sink);
      return true;
    }
    const piece = this.shift();
    if (piece !== undefined) sink.onData(bufferOf(piece));
    return piece !== undefined;
  }

  clear(): void {
    for (const piece of this.#pieces.splice(0)) if (piece instanceof LentBlock) piece.giveAway();
    this.#block = undefined;
    this.#blockUsed = 0;
    this.#bytes = 0;
  }

  #nextOf(block: LentBlock): Buffer {
    const piece = block.next();
    if (block.isEmpty) this.#pieces.shift();
    this.#bytes -= piece.length;
    return piece;
  }

  #append(piece: Uint8Array | LentBlock): void {
    this.#closeBlock();
    this.#pieces.push(piece);
  }

  #closeBlock(): void {
    if (this.#block === undefined) return;
    this.#pieces.push(this.#block.subarray(0, this.#blockUsed));
    this.#block = undefined;
    this.#blockUsed = 0;
  }
}

export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Who takes the bytes of a stream by calls, without the machinery of a Duplex. */
export interface TunnelStreamSink {
  /** The next bytes, which hold until this returns. */
  onData(chunk: Buffer): void;
  /** All that `send` took has left. */
  onDrain(): void;
}
