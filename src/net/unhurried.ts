// What a tunnel sends a little later, for its peer does not wait for it: a message of its own costs both ends more than all that is in it.

/** So long it stays for others to leave with. */
const unhurriedMs = 2;

export class Unhurried implements Disposable {
  readonly #flush: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(flush: () => void) {
    this.#flush = flush;
  }

  /** `flush` is called then, once; it finds nothing where all has left meanwhile. */
  wait(): void {
    if (this.#isOver) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#flush();
    }, unhurriedMs).unref();
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}
