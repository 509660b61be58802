// A cell of a table for what has a bound: the median, from where to where it went, and whether the bound is met.

import { median } from './statistics.ts';
import { format } from './table.ts';

/** `values` of the rounds, in the unit of the column. */
export function boundedCell(values: readonly number[], bound: number): string {
  const value = median(values);
  const spread = `${format(Math.min(...values))}–${format(Math.max(...values))}`;
  return `${format(value)} (${spread}), ≤ ${bound}: ${value <= bound ? 'met' : 'missed'}`;
}
