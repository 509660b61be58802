// Pieces of a body that is held, in memory that is in proportion to their octets however small they come: a piece of one octet costs some hundred
// by itself.

/** Smaller pieces are copied into blocks. */
const blockBytes = 16_384;

export class GatheredOctets {
  readonly #blocks: Uint8Array[] = [];
  /** The last block, where it is one of ours with room in it. */
  #open: Uint8Array | undefined;
  #used = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Takes a copy. */
  push(piece: Uint8Array): void {
    this.#length += piece.length;
    for (let from = 0; from < piece.length;) {
      if (this.#open === undefined || this.#used === this.#open.length) {
        this.#open = new Uint8Array(Math.max(blockBytes, piece.length - from));
        this.#blocks.push(this.#open);
        this.#used = 0;
      }
      const count = Math.min(piece.length - from, this.#open.length - this.#used);
      this.#open.set(piece.subarray(from, from + count), this.#used);
      this.#used += count;
      from += count;
    }
  }

  /** All of it in one piece; nothing is held here any more. */
  take(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const block of this.#blocks) {
      const part = block === this.#open ? block.subarray(0, this.#used) : block;
      all.set(part, at);
      at += part.length;
    }
    this.#blocks.length = 0;
    this.#open = undefined;
    this.#length = 0;
    return all;
  }
}
