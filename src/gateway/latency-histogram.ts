// How long something took, by buckets, each with the trace of the last that fell into it.

import type { Exemplar, HistogramCounts } from './telemetry/metric-family.ts';

export class LatencyHistogram {
  readonly #bounds: readonly number[];
  readonly #within: number[];
  readonly #exemplars: (Exemplar | undefined)[];
  #count = 0;
  #seconds = 0;

  /** Upper bounds in seconds, rising. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#within = bounds.map(() => 0);
    this.#exemplars = [...bounds.map(() => undefined), undefined];
  }

  /** Without a trace there is no exemplar of it. */
  record(ms: number, trace: { readonly id: string; readonly atMs: number } | undefined): void {
    const seconds = ms / 1000;
    this.#count += 1;
    this.#seconds += seconds;
    let i = this.#bounds.length;
    for (; i > 0 && seconds <= (this.#bounds[i - 1] ?? 0); i -= 1)
      this.#within[i - 1] = (this.#within[i - 1] ?? 0) + 1;
    if (trace !== undefined) this.#exemplars[i] = { traceId: trace.id, seconds, atMs: trace.atMs };
  }

  counts(): HistogramCounts {
    return {
      within: [...this.#within],
      count: this.#count,
      seconds: this.#seconds,
      exemplars: [...this.#exemplars],
    };
  }
}

export function addedHistograms(bounds: readonly number[], all: readonly HistogramCounts[]): HistogramCounts {
  const sum = (value: (one: HistogramCounts) => number): number =>
    all.reduce((total, one) => total + value(one), 0);
  return {
    within: bounds.map((_, i) => sum(({ within }) => within[i] ?? 0)),
    count: sum(({ count }) => count),
    seconds: sum(({ seconds }) => seconds),
    exemplars: [...bounds, Number.POSITIVE_INFINITY].map((_, i) => newest(all, i)),
  };
}

function newest(all: readonly HistogramCounts[], i: number): Exemplar | undefined {
  let found: Exemplar | undefined;
  for (const { exemplars } of all) {
    const one = exemplars[i];
    if (one !== undefined && (found === undefined || one.atMs > found.atMs)) found = one;
  }
  return found;
}
