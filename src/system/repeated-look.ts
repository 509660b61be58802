// Looks at something, again and again: one look after the other, at an interval and when asked, until it is closed.

import { asProxyError, type ProxyError } from '../protocol/error.ts';

export interface RepeatedLookOptions {
  readonly look: () => Promise<void>;
  /** From the end of one look to the beginning of the next. */
  readonly intervalMs: number;
  /** A look that fails is told here; the next tries again. */
  readonly onFault: (error: ProxyError) => void;
}

/** Nothing is looked at before `start` or `now`. */
export class RepeatedLook implements AsyncDisposable {
  readonly #options: RepeatedLookOptions;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: RepeatedLookOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      void this.now().then(() => this.start());
    }, this.#options.intervalMs);
    // Looking alone keeps no process alive.
    this.#timer.unref();
  }

  /** Resolves when a look that began after this call is over; never rejects. */
  now(): Promise<void> {
    this.#looking = this.#looking
      .then(async () => {
        if (!this.#closed) await this.#options.look();
      })
      .catch((error: unknown) => {
        this.#options.onFault(asProxyError(error));
      });
    return this.#looking;
  }

  /** Waits for the look that goes on. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
