// Sessions that ended lately, for the time in which the store cannot be asked: what is revoked stays out.

import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

export class EndedSessions {
  /** With when it was heard of; the oldest first. */
  readonly #ended = new Map<string, number>();
  readonly #keptMs: number;
  readonly #max: number;
  /** Until then some may be missing. */
  #incompleteUntilMs = Number.NEGATIVE_INFINITY;

  /** @param keptMs as long as an access token may live, with what a store that is away adds to that */
  constructor(keptMs: number, max: number = defaultLimits.endedSessionsMax) {
    this.#keptMs = keptMs;
    this.#max = max;
  }

  /** With so many it is known whether there are more than are kept. */
  get readMax(): number {
    return this.#max + 1;
  }

  add(sessionId: string, nowMs: number): void {
    this.#ended.delete(sessionId);
    this.#ended.set(sessionId, nowMs);
    for (const [id, heardMs] of this.#ended) {
      const isOld = nowMs - heardMs > this.#keptMs;
      if (!isOld && this.#ended.size <= this.#max) return;
      this.#ended.delete(id);
      if (!isOld) this.#incompleteUntilMs = heardMs + this.#keptMs;
    }
  }

  /** Throws ProxyError `session_revoked` for one that ended, `store_unavailable` where that cannot be told. */
  assertKnownAlive(sessionId: string, nowMs: number): void {
    if (this.#ended.has(sessionId))
      throw new ProxyError('session_revoked', 'The session ended; enrol with a new token.');
    if (nowMs > this.#incompleteUntilMs) return;
    throw new ProxyError(
      'store_unavailable',
      'The store of the gateway is away, and too many sessions ended lately; try again later.',
      { limit: 'endedSessionsMax', retryAfterSeconds: defaultLimits.storeRetryAfterSeconds },
    );
  }
}
