// Messages that came already, for as long as their time would let them come again.

import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

export class SeenMessages {
  /** Until when, oldest first. */
  readonly #seen = new Map<string, number>();

  /** Notes a message, once. @throws ProxyError operator_unknown, limit_exceeded */
  admit(sender: string, messageId: string, nowMs: number): void {
    this.#forget(nowMs);
    const key = keyOf(sender, messageId);
    if (this.#seen.has(key)) throw new ProxyError('operator_unknown', 'the message came before');
    const { callbackSeenMax } = defaultLimits;
    if (this.#seen.size >= callbackSeenMax)
      throw new ProxyError('limit_exceeded', `more than ${callbackSeenMax} messages came in some minutes`, {
        limit: 'callbackSeenMax',
      });
    // Its clock may be ahead by as much as it may be behind.
    this.#seen.set(key, nowMs + 2 * defaultLimits.callbackClockMs);
  }

  /** Does what a message says, once. One that failed by a fault on this side may come again. @throws ProxyError as admit, and what `work` throws */
  async once(sender: string, messageId: string, nowMs: number, work: () => Promise<void>): Promise<void> {
    this.admit(sender, messageId, nowMs);
    try {
      await work();
    } catch (error) {
      if (asProxyError(error).httpStatus >= 500) this.#seen.delete(keyOf(sender, messageId));
      throw error;
    }
  }

  #forget(nowMs: number): void {
    for (const [key, untilMs] of this.#seen) {
      if (untilMs > nowMs) return;
      this.#seen.delete(key);
    }
  }
}

function keyOf(sender: string, messageId: string): string {
  return JSON.stringify([sender, messageId]);
}
