// How many flows of datagrams a session has, and how many datagrams a second pass in them. One that is over its share is dropped.

import { ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import { TokenBucket } from '../../protocol/token-bucket.ts';

interface SessionFlows {
  readonly bucket: TokenBucket;
  flows: number;
}

export interface DatagramFlow extends Disposable {
  /** Whether another datagram may pass, whichever way it goes. */
  take(nowMs: number): boolean;
}

/** After that a bucket is full again, so that nobody gains by a flow that is opened anew. */
const forgottenAfterMs = 2_000;

export class DatagramFlows {
  readonly #limits: Limits;
  readonly #sessions = new Map<string, SessionFlows>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** @param owner the session that began by a token @throws ProxyError limit_exceeded */
  open(owner: string, nowMs: number): DatagramFlow {
    const { datagramFlowsPerSessionMax: most, datagramsPerSecondMax: perSecond } = this.#limits;
    const session = this.#sessions.get(owner) ?? { bucket: new TokenBucket(perSecond, nowMs), flows: 0 };
    if (session.flows >= most)
      throw new ProxyError(
        'limit_exceeded',
        `the session has ${String(most)} flows of datagrams (datagramFlowsPerSessionMax); end some first`,
        { limit: 'datagramFlowsPerSessionMax' },
      );
    session.flows += 1;
    this.#sessions.set(owner, session);
    let isOpen = true;
    return {
      take: (atMs) => session.bucket.take(perSecond, atMs) === 0,
      [Symbol.dispose]: () => {
        if (!isOpen) return;
        isOpen = false;
        session.flows -= 1;
        if (session.flows === 0) this.#forget(owner, session);
      },
    };
  }

  #forget(owner: string, session: SessionFlows): void {
    setTimeout(() => {
      if (session.flows === 0 && this.#sessions.get(owner) === session) this.#sessions.delete(owner);
    }, forgottenAfterMs).unref();
  }
}
