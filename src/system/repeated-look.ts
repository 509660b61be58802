// Looks at something, again and again: one look after the other, at an interval and when asked, until it is closed.

import { asProxyError, type ProxyError } from '../protocol/error.ts';

export interface RepeatedLookOptions {
  /** The signal aborts when nothing more is to be looked at. */
  readonly look: (signal: AbortSignal) => Promise<void> | void;
  /** From the end of one look to the beginning of the next. */
  readonly intervalMs: number;
  /** Before the first look, where that is another time. */
  readonly firstMs?: number;
  /** A look that fails is told here; the next tries again. */
  readonly onFault: (error: ProxyError) => void;
}

/** Nothing is looked at before `start` or `now`. */
export class RepeatedLook implements AsyncDisposable {
  readonly #options: RepeatedLookOptions;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  readonly #stop = new AbortController();
  #next: Promise<boolean> | undefined;

  constructor(options: RepeatedLookOptions) {
    this.#options = options;
  }

  start(): void {
    const { intervalMs, firstMs = intervalMs } = this.#options;
    this.#schedule(firstMs);
  }

  /** Resolves when a look that began after this call is over; never rejects. */
  async now(): Promise<void> {
    await this.#add(() => undefined);
  }

  /** A look that begins after this call. Calls that come before it begins share it: whoever is told often waits with one at the most. */
  soon(): void {
    void this.taken();
  }

  /** As `soon`; resolves when that look is over, to whether it was without a fault. Never rejects. */
  taken(): Promise<boolean> {
    this.#next ??= this.#add(() => {
      this.#next = undefined;
    });
    return this.#next;
  }

  #add(onBegin: () => void): Promise<boolean> {
    const look = this.#looking.then(async () => {
      onBegin();
      const { signal } = this.#stop;
      if (signal.aborted) return false;
      try {
        await this.#options.look(signal);
        return true;
      } catch (error) {
        this.#options.onFault(asProxyError(error));
        return false;
      }
    });
    this.#looking = look.then(() => undefined);
    return look;
  }

  /** Waits for the look that goes on. */
  async close(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    await this.#looking;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #schedule(delayMs: number): void {
    if (this.#stop.signal.aborted) return;
    this.#timer = setTimeout(() => {
      void this.now().then(() => this.#schedule(this.#options.intervalMs));
    }, delayMs);
    // Looking alone keeps no process alive.
    this.#timer.unref();
  }
}
