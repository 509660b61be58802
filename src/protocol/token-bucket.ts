// How often something may happen: a bucket of tokens, refilled with time up to its burst, one second's worth if nothing else is said.

export class TokenBucket {
  readonly #burst: number | undefined;
  #tokens: number;
  #refilledMs: number;

  constructor(perSecond: number, nowMs: number, burst?: number) {
    this.#burst = burst;
    this.#tokens = burst ?? burstOf(perSecond);
    this.#refilledMs = nowMs;
  }

  /** Takes a token; the rate may differ from call to call. Gives 0, or the whole seconds after which there is one. */
  take(perSecond: number, nowMs: number): number {
    const seconds = this.secondsUntil(1, perSecond, nowMs);
    if (seconds === 0) this.#tokens -= 1;
    return seconds;
  }

  /** Takes what was used already, be it more than there is. */
  charge(count: number, perSecond: number, nowMs: number): void {
    this.#refill(perSecond, nowMs);
    this.#tokens -= count;
  }

  /** 0 if there are so many tokens, else the whole seconds after which there are. */
  secondsUntil(count: number, perSecond: number, nowMs: number): number {
    this.#refill(perSecond, nowMs);
    return this.#tokens >= count ? 0 : Math.max(1, Math.ceil((count - this.#tokens) / perSecond));
  }

  #refill(perSecond: number, nowMs: number): void {
    // A clock that goes back gives nothing for free.
    const elapsedMs = Math.max(0, nowMs - this.#refilledMs);
    const most = this.#burst ?? burstOf(perSecond);
    this.#tokens = Math.min(most, this.#tokens + (elapsedMs * perSecond) / 1000);
    this.#refilledMs = nowMs;
  }
}

/** A rate below one a second still gives one at a time; a rate of nothing gives none. */
function burstOf(perSecond: number): number {
  return perSecond === 0 ? 0 : Math.max(1, perSecond);
}
