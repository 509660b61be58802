// Looks over the whole audit take minutes: few at a time, each rests as long as it works, says how far it is, and ends with who asked.

import { setTimeout as delay } from 'node:timers/promises';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

const progressIntervalMs = 1000;

export class WholeAuditReads {
  #count = 0;

  /** Until it is disposed. @throws ProxyError limit_exceeded */
  begin(): Disposable {
    const { adminWholeReadsMax: max } = defaultLimits;
    if (this.#count >= max)
      throw new ProxyError(
        'limit_exceeded',
        `somebody looks over the whole audit already (adminWholeReadsMax is ${max})`,
        { limit: 'adminWholeReadsMax', retryAfterSeconds: 60 },
      );
    this.#count += 1;
    return {
      [Symbol.dispose]: () => {
        this.#count -= 1;
      },
    };
  }
}

/** One look: its parts rest behind each other, and it knows when to tell how far it is. */
export class WholeLook {
  readonly #signal: AbortSignal;
  #toldMs = performance.now();
  #beganMs = performance.now();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Behind a part, for as long as it took: what passes through the gateway has the other half. @throws ProxyError cancelled */
  async rest(): Promise<void> {
    await delay(Math.ceil(performance.now() - this.#beganMs));
    this.requireAsker();
    this.#beganMs = performance.now();
  }

  /** @throws ProxyError cancelled */
  requireAsker(): void {
    if (this.#signal.aborted) throw new ProxyError('cancelled', 'who asked has gone');
  }

  /** Once a second. */
  isTimeToTell(): boolean {
    if (performance.now() - this.#toldMs < progressIntervalMs) return false;
    this.#toldMs = performance.now();
    return true;
  }
}
