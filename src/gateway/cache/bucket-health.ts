// Whether a bucket responds. One that does not is left alone for a while, then one request finds out whether it is back; somebody is told once.

import { defaultLimits } from '../../protocol/limits.ts';
import { bucketReason } from './bucket-client.ts';

export interface BucketHealthOptions {
  readonly clock: () => number;
  readonly onCount: (what: 'bucket_failed', count: number) => void;
  /** Told once, until it responds again. */
  readonly onAway: (reason: string) => void;
}

export class BucketHealth {
  readonly #options: BucketHealthOptions;
  #sinceMs: number | undefined;
  #isTold = false;

  constructor(options: BucketHealthOptions) {
    this.#options = options;
  }

  /** Whether it may be asked now. Of a bucket that is away one may be in each while. */
  mayAsk(): boolean {
    if (this.#sinceMs === undefined) return true;
    const nowMs = this.#options.clock();
    const ageMs = nowMs - this.#sinceMs;
    if (ageMs >= 0 && ageMs < defaultLimits.cacheRetryMs) return false;
    this.#sinceMs = nowMs;
    return true;
  }

  failed(error: unknown): void {
    const { clock, onCount, onAway } = this.#options;
    this.#sinceMs = clock();
    onCount('bucket_failed', 1);
    if (this.#isTold) return;
    this.#isTold = true;
    onAway(bucketReason(error));
  }

  worked(): void {
    this.#sinceMs = undefined;
    this.#isTold = false;
  }
}
