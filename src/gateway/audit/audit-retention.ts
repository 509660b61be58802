// Keeps the audit in the store within the bounds of the configuration, a small batch at a time.

import { setTimeout as wait } from 'node:timers/promises';
import { asProxyError, type ProxyError } from '../../protocol/error.ts';
import type { AuditStore } from '../../store/store.ts';

const lookIntervalMs = 60_000;
/** One transaction: on the thread that writes the audit it takes a few milliseconds. */
const batchEvents = 500;
/** Between two batches the events of streams have their turn. */
const pauseMs = 20;
/** Of one look; what is left waits for the next. */
const batchesMax = 1000;
const dayMs = 86_400_000;

export interface AuditRetentionOptions {
  readonly store: AuditStore;
  readonly keepDays: number | undefined;
  readonly keepEvents: number | undefined;
  readonly clock: () => number;
  readonly onFault: (error: ProxyError) => void;
}

/** Looks every minute until it is closed. */
export class AuditRetention implements AsyncDisposable {
  readonly #options: AuditRetentionOptions;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: AuditRetentionOptions) {
    this.#options = options;
    this.#schedule(lookIntervalMs / 10);
  }

  /** Removes what is out of bounds now. Faults of the store go to `onFault`. */
  look(): Promise<void> {
    this.#looking = this.#looking
      .then(() => this.#look())
      .catch((error: unknown) => {
        this.#options.onFault(asProxyError(error));
      });
    return this.#looking;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    await this.#looking;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #schedule(delayMs: number): void {
    this.#timer = setTimeout(() => {
      void this.look().then(() => {
        if (!this.#stop.signal.aborted) this.#schedule(lookIntervalMs);
      });
    }, delayMs);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const { store, keepDays, keepEvents, clock } = this.#options;
    if (keepDays === undefined && keepEvents === undefined) return;
    const bounds = {
      batch: batchEvents,
      ...(keepDays === undefined ? {} : { beforeMs: clock() - keepDays * dayMs }),
      ...(keepEvents === undefined ? {} : { keepEvents }),
    };
    for (let batches = 0; batches < batchesMax && !this.#stop.signal.aborted; batches += 1) {
      if ((await store.prune(bounds)) < batchEvents) return;
      // An abort means that the gateway ends.
      await wait(pauseMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }
}
