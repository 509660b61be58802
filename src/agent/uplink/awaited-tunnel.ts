// Who waits for a tunnel that is not there, and how long the next attempt to have one is put off: as long as it is, nobody waits.

import { ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import { delay, delayUpTo } from './delay.ts';
import { unhandledResolvers } from './unhandled-resolvers.ts';

/** How long to wait before an attempt. */
export interface AttemptDelay {
  readonly atMostMs: number;
  /** No attempt comes sooner, however many wait for it. */
  readonly awaitedMs: number;
}

export class AwaitedTunnel {
  readonly #limits: Limits;
  #up = unhandledResolvers();
  #waiting = 0;
  /** Told when somebody begins to wait. */
  #onWaiting: () => void = () => undefined;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Waits until there is one. Throws tunnel_lost after `tunnelWaitTimeoutMs`, or why there will be none. */
  async whenUp(): Promise<void> {
    const { tunnelWaitTimeoutMs } = this.#limits;
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const seconds = tunnelWaitTimeoutMs / 1000;
      reject(
        new ProxyError('tunnel_lost', `no tunnel to the gateway within ${seconds} s; it is tried again`),
      );
    }, tunnelWaitTimeoutMs);
    this.#waiting += 1;
    this.#onWaiting();
    try {
      await Promise.race([this.#up.promise, promise]);
    } finally {
      this.#waiting -= 1;
      clearTimeout(timer);
    }
  }

  /** There is one. */
  found(): void {
    this.#up.resolve();
  }

  /** It is not there any more; another one is tried for. */
  lost(): void {
    this.#up = unhandledResolvers();
  }

  /** There will be none: told to those who wait now, and to those who ask later where there was one until now. */
  end(reason: ProxyError): void {
    this.#up.reject(reason);
    this.#up = unhandledResolvers();
    this.#up.reject(reason);
  }

  /** Waits before an attempt: the whole time, or less as soon as somebody waits for it. Throws `cancelled`. */
  async untilAttempt({ atMostMs, awaitedMs }: AttemptDelay, signal: AbortSignal): Promise<void> {
    await delay(Math.min(atMostMs, awaitedMs), signal);
    if (atMostMs <= awaitedMs || this.#waiting > 0) return;
    const cut = new AbortController();
    this.#onWaiting = () => cut.abort();
    try {
      await delayUpTo(atMostMs - awaitedMs, signal, cut.signal);
    } finally {
      this.#onWaiting = () => undefined;
    }
  }
}
