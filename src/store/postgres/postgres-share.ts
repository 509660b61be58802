// Questions that may be slow and on which no agent waits get a share of the connections: the others stay for those of sessions.

import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

export class PostgresShare {
  readonly #label: string;
  #running = 0;
  /** The oldest first. */
  readonly #waiting = new Set<() => void>();

  /** @param label of the store, for messages */
  constructor(label: string) {
    this.#label = label;
  }

  /** Throws what `question` does, or ProxyError `store_unavailable` if its turn does not come in time. */
  async ask<T>(question: () => Promise<T>): Promise<T> {
    if (this.#running < defaultLimits.storeReadConnectionsMax) this.#running += 1;
    else await this.#turn();
    try {
      return await question();
    } finally {
      // A turn is handed on, so nobody who comes meanwhile takes it.
      const [next] = this.#waiting;
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  async #turn(): Promise<void> {
    const { storeWaitingMax, storeConnectTimeoutMs } = defaultLimits;
    if (this.#waiting.size >= storeWaitingMax)
      throw this.#fault(`${storeWaitingMax} questions wait for their turn already`);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const next = (): void => {
      this.#waiting.delete(next);
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(() => {
      this.#waiting.delete(next);
      reject(this.#fault('others that are slow are before it'));
    }, storeConnectTimeoutMs);
    this.#waiting.add(next);
    await promise;
  }

  #fault(reason: string): ProxyError {
    return new ProxyError('store_unavailable', `The store ${this.#label} cannot be read: ${reason}.`);
  }
}
