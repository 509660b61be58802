// What the workers of a gateway have counted, as one: those that are gone included, as far as they told it.

import { addedCounts, Metrics, type Counts, type ProcessCounts } from './metrics.ts';
import type { Worker } from './workers/worker-processes.ts';
import { defaultLimits } from '../protocol/limits.ts';
import { RepeatedLook } from '../system/repeated-look.ts';

/** So much of a worker's counts is lost if it is killed. */
const lookIntervalMs = 1_000;

/** Those that serve now, as far as they are asked. */
interface CountedWorkers {
  readonly serving: readonly Pick<Worker, 'number' | 'channel'>[];
  readonly restarts: number;
}

export class WorkerCounts implements AsyncDisposable {
  /** What the supervisor itself counts. */
  readonly own = new Metrics();
  readonly #workers: () => CountedWorkers;
  readonly #last = new Map<number, Counts>();
  #gone: Counts = new Metrics().counts();
  readonly #repeated: RepeatedLook;

  constructor(workers: () => CountedWorkers) {
    this.#workers = workers;
    this.#repeated = new RepeatedLook({
      look: () => this.#look(),
      intervalMs: lookIntervalMs,
      onFault: () => undefined,
    });
    this.#repeated.start();
  }

  /** What all have counted. */
  async all(): Promise<ProcessCounts> {
    await this.#look();
    const counts = [this.own.counts(), this.#gone, ...this.#last.values()];
    return { counts, restarts: this.#workers().restarts };
  }

  /** A worker is gone: its counters stay, so that no sum goes back, and its gauges go. */
  leave(number: number): void {
    const last = this.#last.get(number);
    this.#last.delete(number);
    if (last !== undefined) this.#gone = { ...addedCounts([this.#gone, last]), gauges: undefined };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#repeated.close();
  }

  async #look(): Promise<void> {
    const { serving } = this.#workers();
    const { workerCountsTimeoutMs } = defaultLimits;
    const asked = serving.map(async ({ number, channel }) => {
      // A worker that does not respond counts as it was.
      const counts = await channel.ask('counts', undefined, workerCountsTimeoutMs).catch(() => undefined);
      // What a worker says is what `Gateway.counts` gives.
      if (counts !== undefined && this.#isServing(number, channel)) this.#last.set(number, counts as Counts);
    });
    await Promise.all(asked);
  }

  #isServing(number: number, channel: unknown): boolean {
    return this.#workers().serving.some((one) => one.number === number && one.channel === channel);
  }
}
