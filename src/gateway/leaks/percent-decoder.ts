// A text that comes in pieces, with every octet decoded that is percent-encoded, whatever stands beside it.

import { Buffer } from 'node:buffer';

const percent = 0x25;

export interface DecodedPiece {
  readonly text: Buffer;
  /** By the place of an octet in it: behind what stands for it in the piece; below 1 where that was in the piece before. */
  readonly ends: Int32Array;
}

export class PercentDecoder {
  /** A percent sign and a digit, at most, of which the rest is to come. */
  #open: number[] = [];

  push(piece: Uint8Array): DecodedPiece {
    const out = Buffer.allocUnsafe(piece.length + this.#open.length);
    const ends = new Int32Array(out.length);
    let length = 0;
    let at = 0;
    const add = (octet: number, end: number): void => {
      out[length] = octet;
      ends[length++] = end;
    };
    for (const octet of piece) {
      at += 1;
      if (this.#open.length === 0) {
        if (octet === percent) this.#open.push(octet);
        else add(octet, at);
        continue;
      }
      if (hexValue(octet) < 0) {
        for (const [i, one] of this.#open.entries()) add(one, at - this.#open.length + i);
        this.#open = octet === percent ? [octet] : [];
        if (octet !== percent) add(octet, at);
      } else if (this.#open.length === 1) this.#open.push(octet);
      else {
        add(hexValue(this.#open[1] ?? 0) * 16 + hexValue(octet), at);
        this.#open = [];
      }
    }
    return { text: out.subarray(0, length), ends };
  }
}

function hexValue(octet: number): number {
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const lower = octet | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
