// Keeps the audit in the store within the bounds of the configuration, a small batch at a time.

import { setTimeout as wait } from 'node:timers/promises';
import type { ProxyError } from '../../protocol/error.ts';
import type { AuditStore } from '../../store/store.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';

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
  readonly #repeated: RepeatedLook;

  constructor(options: AuditRetentionOptions) {
    this.#options = options;
    this.#repeated = new RepeatedLook({
      look: (signal) => this.#look(signal),
      intervalMs: lookIntervalMs,
      firstMs: lookIntervalMs / 10,
      onFault: options.onFault,
    });
    this.#repeated.start();
  }

  /** Removes what is out of bounds now. Faults of the store go to `onFault`. */
  look(): Promise<void> {
    return this.#repeated.now();
  }

  close(): Promise<void> {
    return this.#repeated.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { store, keepDays, keepEvents, clock } = this.#options;
    if (keepDays === undefined && keepEvents === undefined) return;
    const bounds = {
      batch: batchEvents,
      ...(keepDays === undefined ? {} : { beforeMs: clock() - keepDays * dayMs }),
      ...(keepEvents === undefined ? {} : { keepEvents }),
    };
    for (let batches = 0; batches < batchesMax && !signal.aborted; batches += 1) {
      if ((await store.prune(bounds)) < batchEvents) return;
      // An abort means that the gateway ends.
      await wait(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
