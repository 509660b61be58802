// A row of the counts of use, alike in both engines.

import { integerOf, type StoredRow, textOf } from '../stored-row.ts';
import type { UseRecord } from '../use-store.ts';

/** What is counted of one name; which kind it is, the caller knows. */
export function useOf(row: StoredRow): Omit<UseRecord, 'kind'> {
  const failedMs = row['failed_ms'];
  return {
    policy: textOf(row, 'policy'),
    name: textOf(row, 'name'),
    uses: integerOf(row, 'uses'),
    lastMs: integerOf(row, 'last_ms'),
    recent: countsOf(row),
    ...(typeof failedMs === 'number'
      ? {
          failure: { ms: failedMs, code: textOf(row, 'failed_code'), trace: textOf(row, 'failed_trace') },
        }
      : {}),
  };
}

/** Of a time that was asked for. */
export function countsOf(row: StoredRow): UseRecord['recent'] {
  return {
    allowed: integerOf(row, 'allowed'),
    denied: integerOf(row, 'denied'),
    failed: integerOf(row, 'failed'),
  };
}
