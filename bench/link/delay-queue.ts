// One direction of a line that is long: what comes in goes out later, in order, as fast as it came; what is on the way is bounded.

export interface DelayQueueOptions {
  readonly delayMs: number;
  /** Bytes on the way at the most; above it the source has to wait. */
  readonly bytesMax: number;
  readonly now: () => number;
  /** Calls back after so many milliseconds, or a little later. */
  readonly after: (ms: number, call: () => void) => void;
  readonly send: (chunk: Buffer) => void;
  /** The end of the direction arrives behind its last byte. */
  readonly end: () => void;
}

interface Held {
  readonly dueMs: number;
  /** Undefined is the end. */
  readonly chunk: Buffer | undefined;
}

/** `push` says false when the source should wait until `onRoom` is called. */
export class DelayQueue {
  readonly #options: DelayQueueOptions;
  readonly #held: Held[] = [];
  #first = 0;
  #bytes = 0;
  #isWaiting = false;
  #isFull = false;
  onRoom: () => void = () => {};

  constructor(options: DelayQueueOptions) {
    this.#options = options;
  }

  /** `extraMs` more for this piece, and so for what comes behind it. */
  push(chunk: Buffer | undefined, extraMs = 0): boolean {
    const { delayMs, bytesMax, now } = this.#options;
    const last = this.#held.at(-1)?.dueMs ?? 0;
    this.#held.push({ dueMs: Math.max(last, now() + delayMs + extraMs), chunk });
    this.#bytes += chunk?.length ?? 0;
    this.#isFull = this.#bytes >= bytesMax;
    this.#wait();
    return !this.#isFull;
  }

  #wait(): void {
    const next = this.#held[this.#first];
    if (next === undefined || this.#isWaiting) return;
    this.#isWaiting = true;
    this.#options.after(Math.max(0, next.dueMs - this.#options.now()), () => {
      this.#isWaiting = false;
      this.#release();
    });
  }

  #release(): void {
    const nowMs = this.#options.now();
    for (let next = this.#held[this.#first]; next !== undefined; next = this.#held[this.#first]) {
      if (next.dueMs > nowMs) break;
      this.#first += 1;
      this.#bytes -= next.chunk?.length ?? 0;
      if (next.chunk === undefined) this.#options.end();
      else this.#options.send(next.chunk);
    }
    if (this.#first > 1024 || this.#first === this.#held.length) {
      this.#held.splice(0, this.#first);
      this.#first = 0;
    }
    if (this.#isFull && this.#bytes < this.#options.bytesMax / 2) {
      this.#isFull = false;
      this.onRoom();
    }
    this.#wait();
  }
}
