// Large blocks that were written and wait to be filled again: making one costs more than filling it, and what is made too often is what most
// collections of garbage are for.

/** What one owner keeps, or all tunnels of a process together. */
export class SpareBlocks {
  readonly #countMax: number;
  readonly #blocks: Uint8Array[] = [];
  #droppedMs = -Infinity;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** One of that size, whose octets are those of whoever had it: no more of it may be sent than was written. */
  take(size: number): Uint8Array | undefined {
    return this.#blocks.at(-1)?.length === size ? this.#blocks.pop() : undefined;
  }

  /** Nobody looks at it any more: not its writer, nor whoever would send it again. */
  keep(block: Uint8Array): void {
    if (this.#blocks.length < this.#countMax) this.#blocks.push(block);
  }

  drop(): void {
    this.#blocks.length = 0;
  }

  /** As `drop`, for what many share: the timer of each of them asks, and once in such a time is enough. */
  dropOnceIn(intervalMs: number, nowMs: number): void {
    if (nowMs - this.#droppedMs < intervalMs) return;
    this.#droppedMs = nowMs;
    this.drop();
  }
}
