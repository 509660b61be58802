// The body of a request of HTTP/1.1 as its exchange reads it: filled by the parser of the connection, as fast as it is taken.

import { Readable } from 'node:stream';

export class RequestBody extends Readable {
  readonly #wanted: () => void;
  #isWhole = false;

  /** `wanted`: called when more of the body can be taken. */
  constructor(wanted: () => void) {
    super();
    this.#wanted = wanted;
    // Whoever reads it hears of a fault; where nobody does it is told by the end of the connection.
    this.on('error', () => undefined);
  }

  /** Whether all of it came. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** False: no more before `wanted`. */
  fill(piece: Uint8Array): boolean {
    if (this.destroyed) return true;
    return this.push(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength));
  }

  finish(): void {
    this.#isWhole = true;
    if (!this.destroyed) this.push(null);
  }

  override _read(): void {
    this.#wanted();
  }
}
