// What runs is judged again when the policy or a grant changes, and when time alone changes a decision: a rule expires, or its
// condition looks at the clock.

import type { Policy } from '../../policy/decision.ts';
import type { ProxyError } from '../../protocol/error.ts';
import type { LiveGrants } from './live-grants.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';

/** What is no longer allowed ends within 5 s. Where no rule speaks of time, a look costs nothing. */
const timeLookIntervalMs = 2_000;

export interface LiveReviewOptions {
  readonly live: LiveGrants;
  readonly policy: () => Policy;
  readonly clock: () => number;
  readonly onFault: (error: ProxyError) => void;
}

/** Looks until it is closed. */
export class LiveReview implements AsyncDisposable {
  readonly #options: LiveReviewOptions;
  readonly #repeated: RepeatedLook;
  #lookedMs: number;

  constructor(options: LiveReviewOptions) {
    this.#options = options;
    this.#lookedMs = options.clock();
    const { onFault } = options;
    this.#repeated = new RepeatedLook({ look: () => this.look(), intervalMs: timeLookIntervalMs, onFault });
    this.#repeated.start();
  }

  /** For when something else than the time changed. */
  now(): void {
    const { live, policy, clock } = this.#options;
    live.review(policy(), clock());
  }

  /** Judges again if the time since the last look may have changed a decision. */
  look(): void {
    const nowMs = this.#options.clock();
    const isChanged = this.#options.policy().changesBetween(this.#lookedMs, nowMs);
    this.#lookedMs = nowMs;
    if (isChanged) this.now();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#repeated.close();
  }
}
