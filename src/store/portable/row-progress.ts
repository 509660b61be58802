// Counts and sums what is read of a store, on its way to where it goes.

import type { RowBatch, RowSource, RowSums } from './store-rows.ts';

/** Rows of that table so far. */
export interface RowProgress {
  readonly table: string;
  readonly rows: number;
}

export function countedSource(
  source: RowSource,
  sums: RowSums,
  onProgress: (progress: RowProgress) => void = () => {},
): RowSource {
  return {
    // Asked each time: some are known when all is read.
    get numbers() {
      return source.numbers;
    },
    batches: async function* (): AsyncGenerator<RowBatch> {
      let progress: RowProgress = { table: '', rows: 0 };
      for await (const batch of source.batches()) {
        sums.add(batch);
        const { table, rows } = batch;
        progress = { table, rows: rows.length + (progress.table === table ? progress.rows : 0) };
        onProgress(progress);
        yield batch;
      }
    },
  };
}
