// What was asked in vain of registries, so that each archive of a large installation does not wait for it anew.

import { defaultLimits } from '../../protocol/limits.ts';

export class UntoldPromises {
  readonly #clock: () => number;
  readonly #againMs: number;
  /** When it was in vain, in that order. */
  readonly #vain = new Map<string, number>();

  constructor(clock: () => number, againMs: number) {
    this.#clock = clock;
    this.#againMs = againMs;
  }

  /** It was in vain a short while ago. */
  has(question: string): boolean {
    const sinceMs = this.#vain.get(question);
    if (sinceMs === undefined) return false;
    const ageMs = this.#clock() - sinceMs;
    return ageMs >= 0 && ageMs < this.#againMs;
  }

  add(question: string): void {
    this.#vain.delete(question);
    this.#vain.set(question, this.#clock());
    for (const [oldest] of this.#vain) {
      if (this.#vain.size <= defaultLimits.cacheUntoldMax) break;
      this.#vain.delete(oldest);
    }
  }
}
