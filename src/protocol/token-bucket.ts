// How often something may happen: a bucket of tokens, refilled with time up to one second's worth.

export class TokenBucket {
  #tokens: number;
  #refilledMs: number;

  constructor(perSecond: number, nowMs: number) {
    this.#tokens = burst(perSecond);
    this.#refilledMs = nowMs;
  }

  /** Takes a token; the rate may differ from call to call. Gives 0, or the whole seconds after which there is one. */
  take(perSecond: number, nowMs: number): number {
    // A clock that goes back gives nothing for free.
    const elapsedMs = Math.max(0, nowMs - this.#refilledMs);
    this.#tokens = Math.min(burst(perSecond), this.#tokens + (elapsedMs * perSecond) / 1000);
    this.#refilledMs = nowMs;
    if (this.#tokens < 1) return Math.max(1, Math.ceil((1 - this.#tokens) / perSecond));
    this.#tokens -= 1;
    return 0;
  }
}

function burst(perSecond: number): number {
  return Math.max(1, perSecond);
}
