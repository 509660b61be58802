// When a process that died is started again: later each time, until it has lived for a while; and how often at the most.

import { defaultLimits } from '../../protocol/limits.ts';

/** One that ran for so long begins anew. */
const soundAfterMs = 60_000;
const delayMsInitial = 100;

export class RestartDelays {
  #restarts = 0;

  /** How long to wait, for one that ran for `ranMs`. Undefined: it died too often. */
  next(ranMs: number): number | undefined {
    if (ranMs >= soundAfterMs) this.#restarts = 0;
    this.#restarts += 1;
    if (this.#restarts > defaultLimits.workerRestartsMax) return undefined;
    return Math.min(delayMsInitial * 2 ** (this.#restarts - 1), defaultLimits.workerRestartDelayMsMax);
  }
}
