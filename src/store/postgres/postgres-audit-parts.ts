// The parts of the audit a few at a time: a statement locks each part that it may look into with all of its indexes, until its transaction ends,
// and a server has room for some thousand locks.

import { partsAtOnce } from '../audit-engine.ts';
import { integerOf } from '../stored-row.ts';
import { placesOfDay } from './postgres-audit-days-schema.ts';
import type { Statements } from './postgres-database.ts';

/** Places from one on, below another. */
export type PlaceRange = readonly [from: number, below: number];

/** All places from that one on, the oldest first, each range with few parts. One alone where there are no parts. */
export async function partRanges(
  statements: Pick<Statements, 'all'>,
  from = Number.MIN_SAFE_INTEGER,
): Promise<readonly PlaceRange[]> {
  const rows = await statements.all(
    'SELECT day FROM audit_day WHERE day > 0 AND day * $1 > $2 ORDER BY day',
    [placesOfDay, from],
  );
  const borders = rows
    .map((row) => integerOf(row, 'day') * placesOfDay)
    .filter((_, at) => at % partsAtOnce === partsAtOnce - 1);
  const firsts = [from, ...borders];
  return firsts.map((first, at) => [first, firsts[at + 1] ?? Number.MAX_SAFE_INTEGER] as const);
}

/** The first that `find` finds, range by range. */
export async function firstWithin<T>(
  ranges: readonly PlaceRange[],
  find: (range: PlaceRange) => Promise<T | undefined>,
): Promise<T | undefined> {
  for (const range of ranges) {
    const found = await find(range);
    if (found !== undefined) return found;
  }
  return undefined;
}
