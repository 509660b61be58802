// Received bytes that nobody has read yet, kept so that they cost about what they count: a view keeps the whole chunk of
// the socket alive, and an object for every byte costs a hundred times the byte.

import { Buffer } from 'node:buffer';

/** From here on a piece is worth an object of its own. */
const pieceBytesMin = 2048;
const blockBytes = 4096;

/** `data` itself if it makes up most of its buffer, else a copy that does. */
export function compact(data: Uint8Array): Uint8Array {
  return data.byteLength * 2 >= data.buffer.byteLength ? data : new Uint8Array(data);
}

/** A queue of bytes: what is pushed comes out in order, in other pieces. The stream's window bounds it. */
export class TunnelInboundQueue {
  readonly #pieces: Uint8Array[] = [];
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
      this.#closeBlock();
      this.#pieces.push(compact(data));
      return;
    }
    if (this.#blockUsed + data.length > blockBytes) this.#closeBlock();
    this.#block ??= Buffer.allocUnsafeSlow(blockBytes);
    this.#block.set(data, this.#blockUsed);
    this.#blockUsed += data.length;
  }

  shift(): Uint8Array | undefined {
    if (this.#pieces.length === 0) this.#closeBlock();
    const piece = this.#pieces.shift();
    this.#bytes -= piece?.length ?? 0;
    return piece;
  }

  clear(): void {
    this.#pieces.length = 0;
    this.#block = undefined;
    this.#blockUsed = 0;
    this.#bytes = 0;
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
