// Heads of the frames that a client of a WebSocket sends (RFC 6455 §5.2), octet by octet, for those who look at a WebSocket that passes.

import { Buffer } from 'node:buffer';
import { headerBytesMax, opcode } from './websocket-frame.ts';

export interface MaskedFrameHead {
  readonly opcode: number;
  /** Such a frame may stand between the frames of a message. */
  readonly isControl: boolean;
  readonly isFinal: boolean;
  readonly length: number;
  readonly mask: Buffer;
  /** As they came. */
  readonly octets: Buffer;
}

/** What is no frame of a client was kept out before: nothing is checked here. */
export class MaskedFrameHeads {
  readonly #octets = Buffer.alloc(headerBytesMax);
  #taken = 0;

  /** A head has begun and is not whole. */
  get isWithin(): boolean {
    return this.#taken > 0;
  }

  /** The head that is whole with this octet. */
  take(octet: number): MaskedFrameHead | undefined {
    this.#octets[this.#taken] = octet;
    this.#taken += 1;
    const [first = 0, second = 0] = this.#octets;
    const short = second & 0x7f;
    const needed = 6 + (short < 126 ? 0 : short === 126 ? 2 : 8);
    if (this.#taken < 2 || this.#taken < needed) return undefined;
    this.#taken = 0;
    const octets = Buffer.from(this.#octets.subarray(0, needed));
    return {
      opcode: first & 0x0f,
      isControl: (first & 0x0f) >= opcode.close,
      isFinal: (first & 0x80) !== 0,
      length:
        short < 126 ? short : short === 126 ? octets.readUInt16BE(2) : Number(octets.readBigUInt64BE(2)),
      mask: octets.subarray(needed - 4),
      octets,
    };
  }
}
