// Failed enrolments by source: a stranger who guesses tokens is slowed down, then refused. Successful ones do not count, and an enrolment
// whose token verifies is never refused for those that failed.

import { setTimeout as wait } from 'node:timers/promises';
import { ProxyError } from '../../protocol/error.ts';
import { TokenBucket } from '../../protocol/token-bucket.ts';
import { sourceKey } from './source-key.ts';

export interface FailureRateOptions {
  readonly perSecondMax: number;
  /** Sources that are remembered; the one that failed longest ago makes room. */
  readonly sourcesMax: number;
  readonly clock: () => number;
}

/** Who counts failures: the process itself, or one for several. */
export interface FailureCount {
  /** Counts a failure of a source. Seconds until the next may follow; 0 within the rate. */
  take(source: string): number | Promise<number>;
}

export class FailureRate implements FailureCount {
  readonly #options: FailureRateOptions;
  /** In the order of their last failure. */
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(options: FailureRateOptions) {
    this.#options = options;
  }

  take(source: string): number {
    const { perSecondMax, clock } = this.#options;
    return this.#bucketOf(source).take(perSecondMax, clock());
  }

  #bucketOf(source: string): TokenBucket {
    const { perSecondMax, sourcesMax, clock } = this.#options;
    const bucket = this.#buckets.get(source) ?? new TokenBucket(perSecondMax, clock());
    this.#buckets.delete(source);
    this.#buckets.set(source, bucket);
    if (this.#buckets.size > sourcesMax) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    return bucket;
  }
}

export class EnrolmentFailures {
  readonly #count: FailureCount;
  readonly #delayMs: number;

  /** @param delayMs how long a source above its rate waits for its refusal */
  constructor(count: FailureCount, delayMs: number) {
    this.#count = count;
    this.#delayMs = delayMs;
  }

  /**
   * Counts a failure of a source. Resolves with what it is told: `refusal` itself, or, above the rate and after a delay, that it is
   * too fast.
   */
  async told(address: string | undefined, refusal: ProxyError): Promise<ProxyError> {
    const secondsLeft = await this.#count.take(sourceKey(address));
    if (secondsLeft === 0) return refusal;
    await wait(this.#delayMs, undefined, { ref: false });
    return new ProxyError(
      'limit_exceeded',
      `Too many enrolments of this address failed (enrolFailuresPerSecondMax); try again in ${secondsLeft} s.`,
      { limit: 'enrolFailuresPerSecondMax', cause: refusal },
    );
  }
}
