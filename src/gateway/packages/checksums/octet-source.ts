// Octets that come in pieces, for a reader that asks for so many of them at a time.

import { Buffer } from 'node:buffer';
import { defaultLimits } from '../../../protocol/limits.ts';

/** What is wrong with what comes, as the end of a sentence: `it` … */
export class UnreadableModule extends Error {}

/** Smaller pieces are copied into blocks: one of a single octet costs some hundred by itself, and a long row of them is slow. */
const blockBytes = 16_384;

export class OctetSource {
  #pieces: Buffer[] = [];
  /** What follows them; of the block, up to `#used` was written. */
  #gathered: Buffer = Buffer.alloc(0);
  #block: Buffer = Buffer.alloc(0);
  #used = 0;
  #waiting = 0;
  #isEnded = false;
  #fault: Error | undefined;
  #wake: (() => void) | undefined;
  #drained: (() => void)[] = [];
  #position = 0;

  /** Of what was taken. */
  get position(): number {
    return this.#position;
  }

  get isFull(): boolean {
    return this.#waiting >= defaultLimits.moduleAheadBytesMax;
  }

  /** Takes a copy: what is pushed holds only as long as the call. */
  push(octets: Uint8Array): void {
    if (this.#fault !== undefined || octets.byteLength === 0) return;
    if (octets.byteLength >= blockBytes) {
      this.#closeGathered();
      this.#pieces.push(Buffer.from(octets));
    } else this.#gather(octets);
    this.#waiting += octets.byteLength;
    this.#wake?.();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  /** Nobody reads on. */
  fail(fault: Error): void {
    this.#fault ??= fault;
    this.#pieces = [];
    this.#gathered = Buffer.alloc(0);
    this.#waiting = 0;
    this.#wake?.();
    this.#tellDrained();
  }

  /** Calls it once when there is room. */
  onDrain(listener: () => void): void {
    if (this.isFull) this.#drained.push(listener);
    else listener();
  }

  /** The next piece; undefined: there is none. */
  async some(): Promise<Buffer | undefined> {
    for (;;) {
      if (this.#pieces.length === 0) this.#closeGathered();
      if (this.#pieces.length > 0) break;
      if (this.#fault !== undefined) throw this.#fault;
      if (this.#isEnded) return undefined;
      const { promise, resolve } = Promise.withResolvers<undefined>();
      this.#wake = () => resolve(undefined);
      await promise;
      this.#wake = undefined;
    }
    const piece = this.#pieces.shift();
    if (piece !== undefined) this.#took(piece.length);
    return piece;
  }

  /** @throws UnreadableModule where it ends before */
  async take(length: number): Promise<Buffer> {
    const [first = Buffer.alloc(0)] = this.#pieces;
    if (first.length >= length) {
      this.#pieces[0] = first.subarray(length);
      if (first.length === length) this.#pieces.shift();
      this.#took(length);
      return first.subarray(0, length);
    }
    const parts: Buffer[] = [];
    let missing = length;
    while (missing > 0) {
      const piece = await this.some();
      if (piece === undefined) throw new UnreadableModule('ends in the middle');
      parts.push(piece.subarray(0, missing));
      if (piece.length > missing) this.unread(piece.subarray(missing));
      missing -= Math.min(missing, piece.length);
    }
    return Buffer.concat(parts);
  }

  /** The end of what was taken last, which belongs to what comes next. */
  unread(rest: Buffer): void {
    if (rest.length === 0 || this.#fault !== undefined) return;
    this.#pieces.unshift(rest);
    this.#waiting += rest.length;
    this.#position -= rest.length;
  }

  #gather(octets: Uint8Array): void {
    if (this.#used + octets.byteLength > this.#block.length) {
      this.#closeGathered();
      this.#block = Buffer.allocUnsafeSlow(blockBytes);
      this.#used = 0;
    }
    const from = this.#used - this.#gathered.length;
    this.#block.set(octets, this.#used);
    this.#used += octets.byteLength;
    this.#gathered = this.#block.subarray(from, this.#used);
  }

  #closeGathered(): void {
    if (this.#gathered.length > 0) this.#pieces.push(this.#gathered);
    this.#gathered = Buffer.alloc(0);
  }

  #took(length: number): void {
    this.#waiting -= length;
    this.#position += length;
    if (!this.isFull) this.#tellDrained();
  }

  #tellDrained(): void {
    const listeners = this.#drained;
    this.#drained = [];
    for (const listener of listeners) listener();
  }
}
