// Keeps the audit in the store within the bounds of the configuration, a small batch at a time.

import { setTimeout as wait } from 'node:timers/promises';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import type { AuditBounds, AuditStore } from '../../store/store.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';

/** A look that finds nothing costs two rows; what is written in between has room in the reserve. */
const lookIntervalMs = 5_000;
/** One transaction: on the thread that writes the audit it takes some ten milliseconds. */
const batchEvents = 500;
/** Between two batches the events of streams have their turn. */
const pauseMs = 20;
/** Of one look; what is left waits for the next. */
const batchesMax = 1000;
const dayMs = 86_400_000;
/** Looks between two that see to room for the days to come: ten minutes. */
const roomLooks = 120;
/** With fewer days ahead somebody has to look why. */
const daysAheadMin = 2;
/** Of `keepBytes` this part is kept free for what comes while the rest is pruned. */
const reserveShare = 1 / 8;

export interface AuditRetentionOptions {
  readonly store: AuditStore;
  readonly keepDays: number | undefined;
  readonly keepEvents: number | undefined;
  readonly keepBytes: number | undefined;
  readonly clock: () => number;
  /** Told after each batch whether the reserve is used up: then only those who do not flood may go on filling the audit. */
  readonly onReserve: (isUsedUp: boolean) => void;
  readonly onFault: (error: ProxyError) => void;
  /** Whether this process removes what is out of bounds. One of several is enough; each has to know of the reserve. */
  readonly isOnDuty?: () => boolean;
}

/** Looks every few seconds until it is closed. */
export class AuditRetention implements AsyncDisposable {
  readonly #options: AuditRetentionOptions;
  readonly #repeated: RepeatedLook;
  /** A day that goes is read first, for minutes: the bytes and their reserve are looked at meanwhile. */
  readonly #days: RepeatedLook;
  #looks = 0;

  constructor(options: AuditRetentionOptions) {
    this.#options = options;
    this.#repeated = new RepeatedLook({
      look: (signal) => this.#look(signal),
      intervalMs: lookIntervalMs,
      onFault: options.onFault,
    });
    this.#days = new RepeatedLook({
      look: (signal) => this.#dropDays(signal),
      intervalMs: lookIntervalMs,
      onFault: options.onFault,
    });
    this.#repeated.start();
    this.#days.start();
  }

  /** Removes what is out of bounds now. Faults of the store go to `onFault`. */
  async look(): Promise<void> {
    await Promise.all([this.#repeated.now(), this.#days.now()]);
  }

  async close(): Promise<void> {
    await Promise.all([this.#repeated.close(), this.#days.close()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { keepDays, keepEvents, keepBytes } = this.#options;
    const isOnDuty = this.#options.isOnDuty?.() !== false;
    this.#looks += 1;
    if (isOnDuty && this.#looks % roomLooks === 1) {
      await this.#makeRoom();
      await this.#tellProblems();
    }
    if (keepDays === undefined && keepEvents === undefined && keepBytes === undefined) return;
    await this.#tellReserve();
    if (!isOnDuty) return;
    const bounds = this.#bounds();
    for (let batches = 0; batches < batchesMax && !signal.aborted; batches += 1) {
      const removed = await this.#options.store.prune(bounds);
      if (removed > 0) await this.#tellReserve();
      if (removed < batchEvents) return;
      // An abort means that the gateway ends.
      await wait(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #dropDays(signal: AbortSignal): Promise<void> {
    const { store, keepDays, clock } = this.#options;
    if (keepDays === undefined || this.#options.isOnDuty?.() === false) return;
    for (let days = 0; days < batchesMax && !signal.aborted; days += 1) {
      const removed = await store.dropDay?.(clock() - keepDays * dayMs, signal);
      if (removed === undefined || removed === 0) return;
    }
  }

  /** What it can't make holds up nothing: the last day goes on. */
  async #makeRoom(): Promise<void> {
    const { store, onFault } = this.#options;
    try {
      const days = await store.makeRoom?.();
      if (days === undefined || days >= daysAheadMin) return;
      onFault(
        new ProxyError(
          'store_unavailable',
          `The store gets no more tables for days of the audit: days ahead ${days}. See docs/reference/store.md, "Days of the audit".`,
        ),
      );
    } catch (error) {
      onFault(asProxyError(error));
    }
  }

  async #tellProblems(): Promise<void> {
    const { store, keepDays = 0, onFault } = this.#options;
    try {
      for (const problem of (await store.roomProblems?.(keepDays)) ?? [])
        onFault(
          new ProxyError('store_unavailable', `${problem} See docs/reference/store.md, "Days of the audit".`),
        );
    } catch (error) {
      onFault(asProxyError(error));
    }
  }

  #bounds(): AuditBounds {
    const { keepDays, keepEvents, keepBytes, clock } = this.#options;
    return {
      batch: batchEvents,
      leavesDays: true,
      ...(keepDays === undefined ? {} : { beforeMs: clock() - keepDays * dayMs }),
      ...(keepEvents === undefined ? {} : { keepEvents }),
      ...(keepBytes === undefined ? {} : { keepBytes: Math.floor(keepBytes * (1 - reserveShare)) }),
    };
  }

  async #tellReserve(): Promise<void> {
    const { store, keepBytes, onReserve } = this.#options;
    if (keepBytes !== undefined) onReserve((await store.held()).bytes > keepBytes);
  }
}
