// A metric with its name, labels and a sentence: every form in which metrics are given out is made from this.

export interface Sample {
  /** Pairs as they stand in an exposition; values are words of ours, none of which has a quotation mark. */
  readonly labels: string;
  readonly value: number;
}

/** One that fell into a bucket, so that a slow bucket leads to a request. */
export interface Exemplar {
  readonly traceId: string;
  readonly seconds: number;
  readonly atMs: number;
}

/** Plain data: those of several processes add up. */
export interface HistogramCounts {
  /** How many took at most the bound of that place. */
  readonly within: readonly number[];
  readonly count: number;
  readonly seconds: number;
  /** One more than there are bounds: the last is of those above all. */
  readonly exemplars: readonly (Exemplar | undefined)[];
}

/** A name without prefix, and without the ending that a format gives counters. */
export type MetricFamily =
  | {
      readonly type: 'counter' | 'gauge';
      readonly name: string;
      readonly help: string;
      readonly samples: readonly Sample[];
    }
  | {
      readonly type: 'histogram';
      readonly name: string;
      readonly help: string;
      readonly bounds: readonly number[];
      readonly histogram: HistogramCounts;
    };
