// How many leaves each owner may cause to be made: a bucket of tokens, refilled with time.

import { ProxyError } from '../protocol/error.ts';
import type { Limits } from '../protocol/limits.ts';

interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
}

/** Owners remembered at once. A forgotten one starts with a full bucket, so the oldest goes first. */
const ownersMax = 1024;

export class MintingRate {
  readonly #perSecond: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(limits: Pick<Limits, 'leavesPerSecondMax'>) {
    this.#perSecond = limits.leavesPerSecondMax;
  }

  /** Takes one token of the owner; throws ProxyError `limit_exceeded` when there is none. */
  take(owner: string, nowMs: number): void {
    const { tokens, atMs } = this.#buckets.get(owner) ?? { tokens: this.#perSecond, atMs: nowMs };
    // A clock that went back refills nothing.
    const refilled = tokens + (Math.max(nowMs - atMs, 0) * this.#perSecond) / 1000;
    const available = Math.min(refilled, this.#perSecond);
    if (available < 1) {
      throw new ProxyError(
        'limit_exceeded',
        `leavesPerSecondMax (${String(this.#perSecond)}): too many new host names at once; try again in a second`,
        { limit: 'leavesPerSecondMax', retryAfterSeconds: 1 },
      );
    }
    this.#buckets.delete(owner);
    this.#buckets.set(owner, { tokens: available - 1, atMs: nowMs });
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= ownersMax) break;
      this.#buckets.delete(oldest);
    }
  }
}
