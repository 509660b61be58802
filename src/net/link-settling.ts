// Who waits for a tunnel to have nothing left that its peer lacks.

export class LinkSettling {
  readonly #isSettled: () => boolean;
  readonly #waiters = new Set<() => void>();
  #isHeard = true;

  constructor(isSettled: () => boolean) {
    this.#isSettled = isSettled;
  }

  /** It cannot be settled before this is over, whatever it comes to. */
  notBefore(heard: Promise<unknown>): void {
    this.#isHeard = false;
    const look = (): void => {
      this.#isHeard = true;
      this.look();
    };
    heard.then(look, look);
  }

  /** It will not be any more than it is. */
  end(): void {
    for (const resolve of this.#waiters) resolve();
  }

  /** Something may have settled it. */
  look(): void {
    if (this.#isHeard && this.#waiters.size > 0 && this.#isSettled())
      for (const resolve of this.#waiters) resolve();
  }

  /** Waits until it is settled, or the time is over. */
  async within(timeoutMs: number): Promise<void> {
    if (this.#isHeard && this.#isSettled()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    this.#waiters.add(resolve);
    await promise;
    clearTimeout(timer);
    this.#waiters.delete(resolve);
  }
}
