// Removes what the audit holds beyond its bounds. The sums that triggers keep (sqlite-schema.ts) say who holds most, so a call
// costs what it removes, however much there is.

import type { AuditBounds, AuditHeld } from '../store.ts';
import type { Row, SqliteDatabase } from './sqlite-database.ts';
import { integerOf, textOf } from '../stored-row.ts';

/** What the store holds of all. */
export function auditHeld(database: SqliteDatabase): AuditHeld {
  const row = database.get('SELECT events, bytes FROM audit_total') ?? {};
  return { events: integerOf(row, 'events'), bytes: integerOf(row, 'bytes') };
}

/** See `AuditStore.prune`. */
export function pruneAudit(database: SqliteDatabase, bounds: AuditBounds): number {
  const { beforeMs, batch } = bounds;
  let removed = 0;
  if (beforeMs !== undefined) {
    removed += database.run(
      `DELETE FROM audit WHERE sequence IN
         (SELECT sequence FROM audit WHERE time_ms < :beforeMs ORDER BY time_ms LIMIT :batch)`,
      { beforeMs, batch },
    );
  }
  if (removed > 0) database.run('DELETE FROM audit_mark WHERE sequence < (SELECT min(sequence) FROM audit)');
  // Most looks find nothing, and need no lock.
  if (removed >= batch || !isOver(bounds, auditHeld(database))) return removed;
  // Of two processes that look at once, the second sees what the first removed.
  return database.transaction(() => removed + removeMost(database, bounds, batch - removed));
}

function isOver({ keepEvents, keepBytes }: AuditBounds, held: AuditHeld): boolean {
  return held.events > (keepEvents ?? Infinity) || held.bytes > (keepBytes ?? Infinity);
}

function removeMost(database: SqliteDatabase, bounds: AuditBounds, batch: number): number {
  let removed = 0;
  while (removed < batch) {
    const held = auditHeld(database);
    if (!isOver(bounds, held)) break;
    const most = database.get(
      `SELECT holder, first_through, later_events AS events, later_bytes AS bytes FROM audit_holding
       WHERE later_bytes > 0 ORDER BY later_bytes DESC LIMIT 1`,
    );
    const from =
      most === undefined ? held : { events: integerOf(most, 'events'), bytes: integerOf(most, 'bytes') };
    const limit = Math.min(batch - removed, countOver(bounds, held, from));
    const count =
      (most === undefined ? 0 : removeLater(database, most, limit)) || removeOldest(database, limit);
    if (count === 0) break;
    removed += count;
  }
  return removed;
}

/** How many events of that size bring the store within its bounds. */
function countOver({ keepEvents, keepBytes }: AuditBounds, held: AuditHeld, of: AuditHeld): number {
  const events = held.events - (keepEvents ?? Infinity);
  const bytes = held.bytes - (keepBytes ?? Infinity);
  return Math.max(1, events, Math.ceil((bytes * of.events) / of.bytes));
}

/** The oldest of one holder, behind its first ones. */
function removeLater(database: SqliteDatabase, most: Row, limit: number): number {
  const holder = textOf(most, 'holder');
  const first = integerOf(most, 'first_through');
  // An id of a session has no colon.
  if (!holder.startsWith(':')) {
    return database.run(
      `DELETE FROM audit WHERE sequence IN
         (SELECT sequence FROM audit WHERE session_id = :holder AND sequence > :first ORDER BY sequence LIMIT :limit)`,
      { holder, first, limit },
    );
  }
  return database.run(
    `DELETE FROM audit WHERE sequence IN
       (SELECT sequence FROM audit WHERE session_id IS NULL AND verdict = :verdict AND sequence > :first
        ORDER BY sequence LIMIT :limit)`,
    { verdict: holder.slice(1), first, limit },
  );
}

function removeOldest(database: SqliteDatabase, limit: number): number {
  return database.run(
    'DELETE FROM audit WHERE sequence IN (SELECT sequence FROM audit ORDER BY sequence LIMIT :limit)',
    { limit },
  );
}
