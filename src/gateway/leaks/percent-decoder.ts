// A text that comes in pieces, with every octet decoded that is percent-encoded, whatever stands beside it.

import { Buffer } from 'node:buffer';

const percent = 0x25;

export class PercentDecoder {
  /** A percent sign and a digit, at most, of which the rest is to come. */
  #open: number[] = [];

  push(piece: Uint8Array): Buffer {
    const out = Buffer.allocUnsafe(piece.length + this.#open.length);
    let length = 0;
    for (const octet of piece) {
      if (this.#open.length === 0) {
        if (octet === percent) this.#open.push(octet);
        else out[length++] = octet;
        continue;
      }
      if (hexValue(octet) < 0) {
        for (const one of this.#open) out[length++] = one;
        this.#open = octet === percent ? [octet] : [];
        if (octet !== percent) out[length++] = octet;
      } else if (this.#open.length === 1) this.#open.push(octet);
      else {
        out[length++] = hexValue(this.#open[1] ?? 0) * 16 + hexValue(octet);
        this.#open = [];
      }
    }
    return out.subarray(0, length);
  }
}

function hexValue(octet: number): number {
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const lower = octet | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
