// A row of what was seen, as every engine gives it.

import type { SeenRow } from './first-seen-store.ts';
import { integerOf, type StoredRow, textOf } from './stored-row.ts';

export const seenRow = (row: StoredRow): SeenRow => ({
  source: textOf(row, 'source'),
  name: textOf(row, 'name'),
  item: textOf(row, 'item'),
  digest: textOf(row, 'digest'),
  firstMs: integerOf(row, 'first_ms'),
});
