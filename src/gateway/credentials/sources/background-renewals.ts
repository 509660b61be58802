// When values are renewed that no request asks for at the moment. Who owns this ends all of it at once.

/** `setTimeout` takes no more. */
const delayMsMax = 2 ** 31 - 1;

export class BackgroundRenewals implements AsyncDisposable {
  /** A value that no request has used for so long is left to end. */
  readonly unusedMs: number;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #running = new Set<Promise<void>>();
  #isClosed = false;

  constructor({ credentialUnusedMs }: { readonly credentialUnusedMs: number }) {
    this.unusedMs = credentialUnusedMs;
  }

  /** Runs `work` once, later; `work` is told how much time has passed, and never rejects. Gives what keeps it from running. */
  after(delayMs: number, work: (passedMs: number) => Promise<void>): () => void {
    if (this.#isClosed) return () => undefined;
    const waitMs = Math.max(0, Math.min(delayMs, delayMsMax));
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      const run = work(waitMs);
      this.#running.add(run);
      void run.finally(() => this.#running.delete(run));
    }, waitMs);
    // Renewing alone keeps no process alive.
    timer.unref();
    this.#timers.add(timer);
    return () => {
      clearTimeout(timer);
      this.#timers.delete(timer);
    };
  }

  /** Begins nothing more, and waits for what is asked of services; they have deadlines. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    await Promise.all(this.#running);
  }
}
