// Whether the store is still the one that it was: a standby that took over without the last commits, or a copy that was put back, has
// another history. What is known here is asserted again then, before anything is called unknown.

import { defaultLimits } from '../../protocol/limits.ts';
import type { ChangePlace, ChangeStore } from '../../store/change-store.ts';

export interface WayBack {
  /** The newest change that was seen before. */
  readonly from: ChangePlace;
  readonly to: ChangePlace;
}

export interface StoreHistoryOptions {
  readonly changes: ChangeStore;
  /** What another gateway handed over: a store that has less has gone back, though it was never seen here. */
  readonly handed?: ChangePlace | undefined;
  /** Milliseconds that never go back. */
  readonly ticks?: () => number;
}

export class StoreHistory {
  readonly #changes: ChangeStore;
  readonly #ticks: () => number;
  readonly #listeners = new Set<(way: WayBack) => Promise<void>>();
  #known: ChangePlace | undefined;
  #waysBack = 0;
  #isGoingBack = false;
  /** From then on what is not in the store is unknown: each gateway has asserted what it knows. */
  #settledMs = Number.NEGATIVE_INFINITY;
  #looking: Promise<unknown> = Promise.resolve();
  #next: Promise<number> | undefined;

  constructor({ changes, handed, ticks = () => performance.now() }: StoreHistoryOptions) {
    this.#changes = changes;
    this.#known = handed;
    this.#ticks = ticks;
  }

  /** How often it went back. */
  get waysBack(): number {
    return this.#waysBack;
  }

  /** Of which history the numbers are that are known here; undefined where that is not known, as on a way back. */
  get name(): string | undefined {
    return this.#isGoingBack ? undefined : this.#known?.history;
  }

  /** Whether what is not in the store may be called unknown. Look first. */
  get isSettled(): boolean {
    return this.#ticks() >= this.#settledMs;
  }

  /** Asserts again what it knows; where that fails, the next look tries again. */
  onWayBack(listener: (way: WayBack) => Promise<void>): void {
    this.#listeners.add(listener);
  }

  /**
   * The number of the newest change. Where the store went back, what is known has been asserted again when it resolves.
   * Throws ProxyError `store_unavailable`.
   */
  look(): Promise<number> {
    if (this.#next !== undefined) return this.#next;
    // One after the other: of two responses the later one is the newer one. Who asks before it begins shares it.
    const look = this.#looking.then(() => {
      this.#next = undefined;
      return this.#look();
    });
    this.#next = look;
    this.#looking = look.catch(() => undefined);
    return look;
  }

  async #look(): Promise<number> {
    const place = await this.#changes.place();
    const from = this.#known;
    const isBack = from !== undefined && (place.history !== from.history || place.number < from.number);
    if (!isBack) {
      this.#known = place;
      return place.number;
    }
    // Until it has come through nothing is called unknown.
    this.#settledMs = Number.POSITIVE_INFINITY;
    this.#isGoingBack = true;
    for (const listener of this.#listeners) await listener({ from, to: place });
    this.#waysBack += 1;
    this.#settledMs = this.#ticks() + defaultLimits.historySettleMs;
    const now = await this.#changes.place();
    this.#known = now;
    this.#isGoingBack = false;
    return now.number;
  }
}
