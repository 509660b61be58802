// Which events of a batch are stored already: an index of ids is within a day, and what else may come twice is looked for in all of them.

import type { AuditEntry } from '../store.ts';
import { textOf } from '../stored-row.ts';
import type { AuditPlaces } from './postgres-audit-lock.ts';
import { partRanges, type PlaceRange } from './postgres-audit-parts.ts';
import { dayMs, placesOfDay } from './postgres-audit-days-schema.ts';
import type { Statements } from './postgres-database.ts';

/** Of a gateway and the database. */
const clocksDifferMs = 7 * dayMs;

/**
 * Those that nobody has stored, as far as `putEvents` does not see it itself: what was open, and was told by somebody else since, or is of a time
 * long before. Takes the markers of what was open.
 */
export async function freshEntries(
  statements: Statements,
  entries: readonly AuditEntry[],
  { asksForAll, places }: { readonly asksForAll: boolean; readonly places: AuditPlaces },
): Promise<readonly AuditEntry[]> {
  const opened = entries.filter(({ wasOpen }) => wasOpen === true).map(({ id }) => id);
  const taken = opened.length === 0 ? new Set<string>() : await takeMarkers(statements, opened);
  const recentMs = Math.floor(places.recentFrom / placesOfDay) * dayMs;
  const suspects = entries.filter(
    ({ id, wasOpen, timeMs }) => asksForAll || timeMs < recentMs || (wasOpen === true && !taken.has(id)),
  );
  if (suspects.length === 0) return entries;
  const ids = new Set(entries.map(({ id }) => id));
  // Among the recent ones; or where it was stored on the day of its time or later, by clocks that may differ, or before there were days.
  const firstMs = Math.min(recentMs, ...suspects.map(({ timeMs }) => timeMs)) - clocksDifferMs;
  const from = Math.max(1, Math.floor(firstMs / dayMs)) * placesOfDay;
  const asked = [...new Set(suspects.map((one) => one.id))];
  for (const range of [
    [Number.MIN_SAFE_INTEGER, placesOfDay],
    ...(await partRanges(statements, from)),
  ] as const)
    for (const id of await knownIds(statements, asked, range)) ids.delete(id);
  // Each once.
  return entries.filter(({ id }) => ids.delete(id));
}

async function takeMarkers(statements: Statements, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await statements.all('DELETE FROM audit_open WHERE id = ANY ($1::text[]) RETURNING id', [ids]);
  return new Set(rows.map((row) => textOf(row, 'id')));
}

async function knownIds(
  statements: Statements,
  ids: readonly string[],
  [from, below]: PlaceRange,
): Promise<readonly string[]> {
  const rows = await statements.all(
    'SELECT id FROM audit WHERE id = ANY ($1::text[]) AND sequence >= $2 AND sequence < $3',
    [ids, from, below],
  );
  return rows.map((row) => textOf(row, 'id'));
}
