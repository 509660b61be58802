// What one end of a tunnel has sent and its peer has not acknowledged: kept so that it can be sent again on another link.

import type { SpareOctets } from './held-octets.ts';
import { headroomBytes, type OutputBlock } from './output-queue.ts';

/** So much is kept whatever others hold, or a tunnel of a full gateway would stand still. It is counted all the same. */
const reserveBytes = 256 * 1024;
/** A smaller piece of data is not worth its frame. */
const roomBytesMin = 4096;
/** What the record of a piece costs beside its octets. */
const recordBytes = 128;

interface KeptPiece {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Octets that were sent before it. */
  readonly offset: number;
  /** The block of the queue, where that itself is kept. */
  readonly block: OutputBlock | undefined;
}

/** Octets in the order in which they were sent, from the first one that is not acknowledged. */
export class SentOctets {
  readonly #bytesMax: number;
  readonly #spare: SpareOctets | undefined;
  /** A block is no longer needed. */
  readonly #onFree: (block: OutputBlock) => void;
  readonly #pieces: KeptPiece[] = [];
  #head = 0;
  #sent = 0;
  #acknowledged = 0;
  #cost = 0;
  /** Up to here it was written on the link that is there. */
  #written = 0;

  constructor(bytesMax: number, spare: SpareOctets | undefined, onFree: (block: OutputBlock) => void) {
    this.#bytesMax = bytesMax;
    this.#spare = spare;
    this.#onFree = onFree;
  }

  /** Memory that is kept. */
  get cost(): number {
    return this.#cost;
  }

  /** Octets that are to be written again. */
  get againBytes(): number {
    return this.#sent - this.#written;
  }

  /** All that was sent arrived. */
  get isEmpty(): boolean {
    return this.#acknowledged === this.#sent;
  }

  /** The next octet to be written is inside a frame. */
  get isInsideFrame(): boolean {
    const piece = this.#next();
    return piece !== undefined && piece.offset !== this.#written;
  }

  /** Octets that may be sent beside so many that wait already; 0 until it is worth a frame. */
  room(waitingBytes: number): number {
    const used = this.#cost + waitingBytes;
    const spare = Math.min(this.#bytesMax - used, this.#spare?.free ?? Infinity);
    const room = Math.max(Math.min(reserveBytes, this.#bytesMax) - used, spare);
    return room < Math.min(roomBytesMin, this.#bytesMax) ? 0 : room;
  }

  /** Keeps a block of whole frames that is written now. Whether the block itself is kept, and not a copy. */
  keep(block: OutputBlock): boolean {
    const length = block.end - block.start;
    const isMostlyFull = 2 * length >= block.bytes.length;
    const offset = this.#sent;
    if (isMostlyFull) this.#pieces.push({ ...block, offset, block });
    else {
      const bytes = new Uint8Array(headroomBytes + length);
      bytes.set(block.bytes.subarray(block.start, block.end), headroomBytes);
      this.#pieces.push({ bytes, start: headroomBytes, end: bytes.length, offset, block: undefined });
    }
    this.#sent += length;
    this.#written = this.#sent;
    this.#charge(recordBytes + (isMostlyFull ? block.bytes.length : headroomBytes + length));
    return isMostlyFull;
  }

  /** The peer has so many octets. False if it cannot have: it took back what it had, or has what was never sent. */
  acknowledge(count: number): boolean {
    if (count < this.#acknowledged || count > this.#sent) return false;
    this.#acknowledged = count;
    this.#written = Math.max(this.#written, count);
    for (let piece = this.#pieces[this.#head]; piece !== undefined; piece = this.#pieces[this.#head]) {
      if (piece.offset + piece.end - piece.start > count) break;
      this.#head += 1;
      this.#charge(-recordBytes - piece.bytes.length);
      if (piece.block !== undefined) this.#onFree(piece.block);
    }
    // Moved seldom, so that each piece is moved once on the average.
    if (this.#head * 2 >= this.#pieces.length) {
      this.#pieces.splice(0, this.#head);
      this.#head = 0;
    }
    return true;
  }

  /** Another link: all that the peer does not have is to be written again. */
  rewind(): void {
    this.#written = this.#acknowledged;
  }

  /** The next piece to be written again. The room in front of it is the taker's: what stood there, the peer has. */
  takeAgain(): OutputBlock | undefined {
    const piece = this.#next();
    if (piece === undefined) return undefined;
    const { bytes, start, end, offset } = piece;
    const from = start + this.#written - offset;
    this.#written = offset + end - start;
    return { bytes, start: from, end };
  }

  /** Nothing is kept any more. */
  clear(): void {
    this.#charge(-this.#cost);
    this.#pieces.length = 0;
    this.#head = 0;
    this.#written = this.#acknowledged = this.#sent;
  }

  #next(): KeptPiece | undefined {
    if (this.#written === this.#sent) return undefined;
    let low = this.#head;
    let high = this.#pieces.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#pieces[middle]?.offset ?? 0) <= this.#written) low = middle;
      else high = middle - 1;
    }
    return this.#pieces[low];
  }

  #charge(bytes: number): void {
    this.#cost += bytes;
    if (bytes !== 0) this.#spare?.change(bytes);
  }
}
