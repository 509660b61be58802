// The body of a request of HTTP/1.1 as its exchange reads it: filled by the parser of the connection, as fast as it is taken.

import { owned } from '../../net/shared-reads.ts';
import { type BodyTaker, DirectBody } from '../forward/direct-body.ts';

export class RequestBody extends DirectBody {
  readonly #wanted: () => void;
  #taker: BodyTaker | undefined;
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
    // Behind what waits already, if anything does.
    if (this.#taker !== undefined && this.readableLength === 0) return this.#taker(piece);
    const kept = owned(piece);
    return this.push(Buffer.from(kept.buffer, kept.byteOffset, kept.byteLength));
  }

  finish(): void {
    this.#isWhole = true;
    if (!this.destroyed) this.push(null);
  }

  takeOver(taker: BodyTaker): void {
    this.#taker = taker;
    this.more();
  }

  more(): void {
    while (this.#taker !== undefined && this.readableLength > 0) {
      // Typed `any` by Readable; without `setEncoding` it is this.
      const piece = this.read() as Buffer | null;
      if (piece !== null && !this.#taker(piece)) return;
    }
    if (this.#taker === undefined || this.destroyed) return;
    // Nothing waits any more but the end, which has to be read to be told.
    this.resume();
    this.#wanted();
  }

  giveBack(): void {
    this.#taker = undefined;
    this.pause();
  }

  override _read(): void {
    if (this.#taker === undefined) this.#wanted();
  }
}
