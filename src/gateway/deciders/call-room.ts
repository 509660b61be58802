// How many questions one decider has at once, of all sessions and of one.

import { ProxyError } from '../../protocol/error.ts';
import type { LimitName, Limits } from '../../protocol/limits.ts';

export class CallRoom {
  readonly #name: string;
  readonly #limits: Limits;
  readonly #bySession = new Map<string, number>();
  #all = 0;

  constructor(name: string, limits: Limits) {
    this.#name = name;
    this.#limits = limits;
  }

  /** Until it is disposed. @throws ProxyError limit_exceeded */
  enter(sessionId: string): Disposable {
    const { deciderCallsMax, deciderCallsPerSessionMax } = this.#limits;
    const own = this.#bySession.get(sessionId) ?? 0;
    if (own >= deciderCallsPerSessionMax) throw this.#full('deciderCallsPerSessionMax');
    if (this.#all >= deciderCallsMax) throw this.#full('deciderCallsMax');
    this.#all += 1;
    this.#bySession.set(sessionId, own + 1);
    return {
      [Symbol.dispose]: () => {
        this.#all -= 1;
        const left = (this.#bySession.get(sessionId) ?? 1) - 1;
        if (left > 0) this.#bySession.set(sessionId, left);
        else this.#bySession.delete(sessionId);
      },
    };
  }

  #full(limit: LimitName): ProxyError {
    const max = String(this.#limits[limit]);
    return new ProxyError(
      'limit_exceeded',
      `the decider ${this.#name} has ${max} questions at once (${limit})`,
      {
        limit,
        retryAfterSeconds: 1,
      },
    );
  }
}
