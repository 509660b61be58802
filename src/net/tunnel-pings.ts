// Who waits for the response to a ping of a tunnel.

import { ProxyError } from '../protocol/error.ts';
import { pingCancelled } from '../protocol/tunnel-fault.ts';

export class TunnelPings {
  readonly #timeoutMs: number;
  readonly #waiters = new Set<PromiseWithResolvers<number>>();

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Milliseconds until the response. Rejects with `timeout`, `cancelled`, or the end of the tunnel. */
  async wait(ping: () => void, signal: AbortSignal | undefined): Promise<number> {
    if (signal?.aborted === true) throw pingCancelled(signal.reason);
    const waiter = Promise.withResolvers<number>();
    const late = `No response to a ping of the tunnel within ${this.#timeoutMs} ms.`;
    const timer = setTimeout(() => waiter.reject(new ProxyError('timeout', late)), this.#timeoutMs);
    const onAbort = (): void => waiter.reject(pingCancelled(signal?.reason));
    signal?.addEventListener('abort', onAbort);
    this.#waiters.add(waiter);
    ping();
    try {
      return await waiter.promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      this.#waiters.delete(waiter);
    }
  }

  responded(roundTripMs: number): void {
    for (const waiter of this.#waiters) waiter.resolve(roundTripMs);
  }

  end(reason: ProxyError): void {
    for (const waiter of this.#waiters) waiter.reject(reason);
  }
}
