// What a batch adds to the sums that say who holds how much of the audit (sqlite-schema.ts): one update for each holder, not one for
// each event. Whoever stores events says so here; the trigger `audit_removed` takes away what is removed.

import type { SqliteDatabase } from './sqlite-database.ts';
import { integerOf } from '../stored-row.ts';

/** So many events of each holder are its first ones, which go last. */
const firstEventsOfHolder = 1000;

interface Stored {
  readonly sequence: number;
  readonly bytes: number;
}

export class AuditSums {
  readonly #byHolder = new Map<string, Stored[]>();

  /** An event that was stored now; in the order of storing. */
  add(holder: string, stored: Stored): void {
    const known = this.#byHolder.get(holder);
    if (known === undefined) this.#byHolder.set(holder, [stored]);
    else known.push(stored);
  }

  /** In the transaction that stored them. */
  write(database: SqliteDatabase): void {
    let [events, bytes] = [0, 0];
    for (const [holder, stored] of this.#byHolder) {
      events += stored.length;
      bytes += writeHolder(database, holder, stored);
    }
    if (events > 0) {
      database.run('UPDATE audit_total SET events = events + :events, bytes = bytes + :bytes', {
        events,
        bytes,
      });
    }
  }
}

/** Gives how many bytes they are. */
function writeHolder(database: SqliteDatabase, holder: string, stored: readonly Stored[]): number {
  const row = database.get('SELECT first_events FROM audit_holding WHERE holder = :holder', { holder });
  const left = firstEventsOfHolder - (row === undefined ? 0 : integerOf(row, 'first_events'));
  const first = stored.slice(0, Math.max(0, left));
  const later = stored.slice(first.length);
  const [firstBytes, laterBytes] = [bytesOf(first), bytesOf(later)];
  database.run(
    `INSERT INTO audit_holding VALUES
       (:holder, :events, :bytes, :firstEvents, :firstThrough, :laterEvents, :laterBytes)
     ON CONFLICT (holder) DO UPDATE SET
       events = events + excluded.events,
       bytes = bytes + excluded.bytes,
       first_events = first_events + excluded.first_events,
       first_through = iif(excluded.first_events > 0, excluded.first_through, first_through),
       later_events = later_events + excluded.later_events,
       later_bytes = later_bytes + excluded.later_bytes`,
    {
      holder,
      events: stored.length,
      bytes: firstBytes + laterBytes,
      firstEvents: first.length,
      firstThrough: first.at(-1)?.sequence ?? 0,
      laterEvents: later.length,
      laterBytes,
    },
  );
  return firstBytes + laterBytes;
}

function bytesOf(stored: readonly Stored[]): number {
  return stored.reduce((sum, { bytes }) => sum + bytes, 0);
}
