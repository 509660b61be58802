// How many leaves each owner may cause to be made: a bucket of tokens, refilled with time.

import { ProxyError } from '../protocol/error.ts';
import { defaultLimits, type Limits } from '../protocol/limits.ts';
import { TokenBucket } from '../protocol/token-bucket.ts';

export class MintingRate {
  readonly #perSecond: number;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(limits: Pick<Limits, 'leavesPerSecondMax'>) {
    this.#perSecond = limits.leavesPerSecondMax;
  }

  /** Takes one token of the owner; throws ProxyError `limit_exceeded` when there is none. */
  take(owner: string, nowMs: number): void {
    const bucket = this.#buckets.get(owner) ?? new TokenBucket(this.#perSecond, nowMs);
    if (bucket.take(this.#perSecond, nowMs) > 0) {
      throw new ProxyError(
        'limit_exceeded',
        `leavesPerSecondMax (${String(this.#perSecond)}): too many new host names at once; try again in a second`,
        { limit: 'leavesPerSecondMax', retryAfterSeconds: 1 },
      );
    }
    this.#buckets.delete(owner);
    this.#buckets.set(owner, bucket);
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= defaultLimits.mintingOwnersMax) break;
      this.#buckets.delete(oldest);
    }
  }
}
