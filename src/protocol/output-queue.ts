// Frames that wait to be written, in order, in blocks that are written as they are: each octet of data is copied once, into its block.

import { ProxyError } from './error.ts';
import { encodeFrame, frameHeaderBytes, writeDataHeader } from './frame-codec.ts';
import type { Frame } from './frame.ts';
import type { Limits } from './limits.ts';
import { SpareBlocks } from './spare-blocks.ts';

/** Room in front of the frames of a block, for the header of the message that carries them. */
export const headroomBytes = 16;
/** What a tunnel of requests without large bodies needs at a time. */
const smallBlockBytes = 16 * 1024;
/** One write of so much costs little more than one of a few octets; above it nothing was gained. */
const largeBlockBytes = 256 * 1024;
/** What a large block takes with its headroom. */
export const blockBytes = headroomBytes + largeBlockBytes;
/** So many blocks of each size are kept for the next frames: one is written while another one fills. */
const sparesMax = 3;
/** What is left of a block is used for a part of a frame only if it is worth a frame. */
const partBytesMin = 4096;

/** Whole frames in `bytes` from `start` to `end`. In front of them is room, which is the taker's too. */
export interface OutputBlock {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

interface FilledBlock {
  readonly bytes: Uint8Array;
  end: number;
  controlBytes: number;
}

/** A queue of whole frames. Data is bounded by credit, control frames by `controlQueueBytesMax`. */
export class OutputQueue {
  readonly #controlBytesMax: number;
  /** Of the frames of one block. */
  readonly #blockBytesMax: number;
  readonly #smallBytes: number;
  readonly #sealed: FilledBlock[] = [];
  #filling: FilledBlock | undefined;
  /** Taken and not given back: what is given back twice would have two owners. */
  readonly #taken = new Set<OutputBlock>();
  readonly #smallSpares: Uint8Array[] = [];
  readonly #largeSpares: SpareBlocks;
  readonly #isShared: boolean;
  /** The last block that was taken had more than fits a small one: the next one will. */
  #isBusy = false;
  #bytes = 0;
  #controlBytes = 0;

  /** @param sharedSpares shared with others whose limits are the same */
  constructor(limits: Pick<Limits, 'controlQueueBytesMax' | 'messageBytesMax'>, sharedSpares?: SpareBlocks) {
    this.#isShared = sharedSpares !== undefined;
    this.#largeSpares = sharedSpares ?? new SpareBlocks(sparesMax);
    this.#controlBytesMax = limits.controlQueueBytesMax;
    this.#blockBytesMax = Math.max(frameHeaderBytes + 1, Math.min(largeBlockBytes, limits.messageBytesMax));
    this.#smallBytes = Math.min(smallBlockBytes, this.#blockBytesMax);
  }

  /** Octets that wait, headers included. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Queues a frame that is not data. Throws limit_exceeded once so much waits that the peer must be provoking responses
   * (pings, refused opens) without reading them.
   */
  pushControl(frame: Exclude<Frame, { readonly type: 'data' }>): void {
    this.pushEncodedControl(encodeFrame(frame));
    if (this.#controlBytes > this.#controlBytesMax) {
      const message = `more than ${this.#controlBytesMax} bytes of control frames wait (controlQueueBytesMax)`;
      throw new ProxyError('limit_exceeded', message, { limit: 'controlQueueBytesMax' });
    }
  }

  /** Queues a control frame that is encoded already, whatever waits. */
  pushEncodedControl(encoded: Uint8Array): void {
    const block = this.#reserve(encoded.length);
    block.bytes.set(encoded, block.end);
    this.#advance(block, encoded.length);
    block.controlBytes += encoded.length;
    this.#controlBytes += encoded.length;
  }

  /** Queues a copy of the data, as frames of at most `frameBytesMax` octets of payload. */
  pushData(streamId: number, data: Uint8Array, frameBytesMax: number): void {
    for (let offset = 0; offset < data.length;) {
      const length = Math.min(data.length - offset, frameBytesMax, this.#payloadRoom());
      const block = this.#reserve(frameHeaderBytes + length);
      writeDataHeader(block.bytes, block.end, streamId, length);
      const part = length === data.length ? data : data.subarray(offset, offset + length);
      block.bytes.set(part, block.end + frameHeaderBytes);
      this.#advance(block, frameHeaderBytes + length);
      offset += length;
    }
  }

  /** Takes a block of whole frames, the taker's until it gives it back, or for good. */
  take(): OutputBlock | undefined {
    const block = this.#sealed.shift() ?? this.#filling;
    if (block === undefined) return undefined;
    if (block === this.#filling) this.#filling = undefined;
    const { bytes, end } = block;
    this.#isBusy = end - headroomBytes > this.#smallBytes;
    this.#bytes -= end - headroomBytes;
    this.#controlBytes -= block.controlBytes;
    const taken = { bytes, start: headroomBytes, end };
    this.#taken.add(taken);
    return taken;
  }

  /** The block was written, and nobody looks at it any more. */
  giveBack(block: OutputBlock): void {
    if (this.#taken.delete(block)) this.#keep(block.bytes);
  }

  /** Blocks that were taken are nobody's any more: their writer is gone, and may never give them back. */
  forgetTaken(): void {
    this.#taken.clear();
  }

  /** A tunnel that is quiet holds no blocks; who shares some drops those. */
  dropSpares(): void {
    this.#smallSpares.length = 0;
    if (!this.#isShared) this.#largeSpares.drop();
    this.#isBusy = false;
  }

  /** Payload that the next frame can have beside what is in its block already. */
  #payloadRoom(): number {
    const largest = this.#blockBytesMax - frameHeaderBytes;
    if (this.#filling === undefined) return largest;
    const room = headroomBytes + this.#blockBytesMax - this.#filling.end - frameHeaderBytes;
    return room >= partBytesMin ? room : largest;
  }

  /** A block with room for so many octets in one piece. */
  #reserve(length: number): FilledBlock {
    const block = this.#filling;
    if (block !== undefined) {
      const needed = block.end + length;
      if (needed <= block.bytes.length) return block;
      // The few octets of a small block are moved: one write instead of two.
      if (needed <= headroomBytes + this.#blockBytesMax) return this.#grow(block);
      this.#sealed.push(block);
    }
    const isSmall = !this.#isBusy && length <= this.#smallBytes && this.#sealed.length === 0;
    const bytes = this.#allocate(isSmall ? this.#smallBytes : Math.max(length, this.#blockBytesMax));
    return (this.#filling = { bytes, end: headroomBytes, controlBytes: 0 });
  }

  #grow({ bytes, end, controlBytes }: FilledBlock): FilledBlock {
    const larger = this.#allocate(this.#blockBytesMax);
    larger.set(bytes.subarray(headroomBytes, end), headroomBytes);
    this.#keep(bytes);
    return (this.#filling = { bytes: larger, end, controlBytes });
  }

  #allocate(length: number): Uint8Array {
    const bytes = headroomBytes + length;
    const spare = this.#isSmall(bytes) ? this.#smallSpares.pop() : this.#largeSpares.take(bytes);
    return spare ?? new Uint8Array(bytes);
  }

  /** One that was made for a frame which fits no block is kept by nobody. */
  #keep(bytes: Uint8Array): void {
    if (bytes.length === headroomBytes + this.#blockBytesMax) this.#largeSpares.keep(bytes);
    else if (this.#isSmall(bytes.length) && this.#smallSpares.length < sparesMax)
      this.#smallSpares.push(bytes);
  }

  #isSmall(bytes: number): boolean {
    return bytes === headroomBytes + this.#smallBytes && this.#smallBytes < this.#blockBytesMax;
  }

  #advance(block: FilledBlock, length: number): void {
    block.end += length;
    this.#bytes += length;
  }
}
