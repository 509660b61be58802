// Removes what the audit holds beyond its bounds. The sums that triggers keep (sqlite-schema.ts) say who holds most, so a call
// costs what it removes, however much there is.

import type { AuditBounds, AuditHeld } from '../store.ts';
import { removedColumns, removedLinkOf } from '../chain/audit-chain.ts';
import type { RemovedLink } from '../chain/chain-cuts.ts';
import type { SqliteChain } from './sqlite-audit-chain.ts';
import type { Row, SqliteDatabase } from './sqlite-database.ts';
import { integerOf, textOf } from '../stored-row.ts';

/** What the store holds of all. */
export function auditHeld(database: SqliteDatabase): AuditHeld {
  const row = database.get('SELECT events, bytes FROM audit_total') ?? {};
  return { events: integerOf(row, 'events'), bytes: integerOf(row, 'bytes') };
}

/** See `AuditStore.prune`. */
export function pruneAudit(database: SqliteDatabase, bounds: AuditBounds, chain?: SqliteChain): number {
  const { beforeMs, batch } = bounds;
  const older = {
    sql: 'SELECT 1 FROM audit WHERE time_ms < :beforeMs LIMIT 1',
    values: { beforeMs: beforeMs ?? 0 },
  };
  let removed = 0;
  // Most looks find nothing, and need no lock.
  if (beforeMs !== undefined && database.get(older.sql, older.values) !== undefined)
    removed = database.transaction(() => {
      const removal = new Removal(database, chain);
      const count = removal.run(
        `DELETE FROM audit WHERE sequence IN
           (SELECT sequence FROM audit WHERE time_ms < :beforeMs ORDER BY time_ms LIMIT :batch)`,
        { beforeMs, batch },
      );
      database.run('DELETE FROM audit_mark WHERE sequence < (SELECT min(sequence) FROM audit)');
      removal.sayCut();
      return count;
    });
  if (removed >= batch || !isOver(bounds, auditHeld(database))) return removed;
  // Of two processes that look at once, the second sees what the first removed.
  return database.transaction(() => {
    const removal = new Removal(database, chain);
    const count = removeMost(removal, bounds, batch - removed);
    removal.sayCut();
    return removed + count;
  });
}

/** Removes in one transaction, and says in the chain what it removed. */
class Removal {
  readonly database: SqliteDatabase;
  readonly #chain: SqliteChain | undefined;
  readonly #links: RemovedLink[] = [];

  constructor(database: SqliteDatabase, chain: SqliteChain | undefined) {
    this.database = database;
    this.#chain = chain;
  }

  /** Gives how many rows the statement removed. */
  run(sql: string, parameters: Parameters<SqliteDatabase['run']>[1]): number {
    if (this.#chain === undefined) return this.database.run(sql, parameters);
    const rows = this.database.all(`${sql} RETURNING ${removedColumns}`, parameters);
    for (const row of rows) {
      const link = removedLinkOf(row);
      if (link !== undefined) this.#links.push(link);
    }
    return rows.length;
  }

  sayCut(): void {
    this.#chain?.cut(this.#links);
  }
}

function isOver({ keepEvents, keepBytes }: AuditBounds, held: AuditHeld): boolean {
  return held.events > (keepEvents ?? Infinity) || held.bytes > (keepBytes ?? Infinity);
}

function removeMost(removal: Removal, bounds: AuditBounds, batch: number): number {
  const { database } = removal;
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
      (most === undefined ? 0 : removeLater(removal, most, limit)) || removeOldest(removal, limit);
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
function removeLater(removal: Removal, most: Row, limit: number): number {
  const holder = textOf(most, 'holder');
  const first = integerOf(most, 'first_through');
  // An id of a session has no colon.
  if (!holder.startsWith(':')) {
    return removal.run(
      `DELETE FROM audit WHERE sequence IN
         (SELECT sequence FROM audit WHERE session_id = :holder AND sequence > :first ORDER BY sequence LIMIT :limit)`,
      { holder, first, limit },
    );
  }
  return removal.run(
    `DELETE FROM audit WHERE sequence IN
       (SELECT sequence FROM audit WHERE session_id IS NULL AND verdict = :verdict AND sequence > :first
        ORDER BY sequence LIMIT :limit)`,
    { verdict: holder.slice(1), first, limit },
  );
}

function removeOldest(removal: Removal, limit: number): number {
  return removal.run(
    'DELETE FROM audit WHERE sequence IN (SELECT sequence FROM audit ORDER BY sequence LIMIT :limit)',
    { limit },
  );
}
