// What of the audit goes when there is too much of it, in PostgreSQL; the sums that say so are kept by triggers (postgres-schema.ts).

import type { AuditBounds, AuditHeld } from '../store.ts';
import { removedColumns, removedLinkOf } from '../chain/audit-chain.ts';
import { type RemovedLink, removedRuns } from '../chain/chain-cuts.ts';
import { LinkHasher } from '../chain/link-hash.ts';
import { integerOf, type StoredRow, textOf } from '../stored-row.ts';
import { lockRemoval, type PostgresAuditDays } from './postgres-audit-days.ts';
import { dayMs, placesOfDay } from './postgres-audit-days-schema.ts';
import { firstWithin, partRanges, type PlaceRange } from './postgres-audit-parts.ts';
import { auditHeld, heldOf, lockAudit } from './postgres-audit-lock.ts';
import type { PostgresChain } from './postgres-chain.ts';
import type { PostgresDatabase, Statements, Values } from './postgres-database.ts';

/** See `AuditStore.prune`. A day goes as a whole, once all of it is too old; row by row what is older than the day on which it was stored. */
export async function pruneAudit(
  database: PostgresDatabase,
  bounds: AuditBounds,
  { chain, days }: { readonly chain: PostgresChain; readonly days?: PostgresAuditDays },
): Promise<number> {
  const { beforeMs, batch, leavesDays } = bounds;
  let removed = 0;
  if (beforeMs !== undefined)
    for (const range of await olderRanges(database, beforeMs))
      // Most looks find nothing, and need no lock.
      if (removed < batch && (await hasOlder(database, beforeMs, range)))
        removed += await removing(database, chain, (removal) =>
          removeOlder(removal, { beforeMs, range, limit: batch - removed }),
        );
  if (removed < batch && isOver(bounds, await auditHeld(database)))
    // Of two gateways that look at once, the second sees what the first removed.
    removed += await removing(database, chain, (removal) => removeMost(removal, bounds, batch - removed));
  if (beforeMs === undefined || removed >= batch || days === undefined || leavesDays === true) return removed;
  return removed + (await days.dropBefore(beforeMs));
}

/** Removes in one transaction, and says in the chain what it removed. */
interface Removal {
  readonly statements: Statements;
  /** Gives how many rows the statement removed. */
  run(sql: string, values: Values): Promise<number>;
}

async function removing(
  database: PostgresDatabase,
  chain: PostgresChain,
  body: (removal: Removal) => Promise<number>,
): Promise<number> {
  const live = await chain.ready();
  return await database.transaction(async (statements) => {
    if (!(await lockRemoval(statements))) return 0;
    await lockAudit(statements);
    const links: RemovedLink[] = [];
    const run: Removal['run'] = async (sql, values) => {
      if (live === undefined) return await statements.run(sql, values);
      const rows = await statements.all(`${sql} RETURNING ${removedColumns}`, values);
      for (const row of rows) {
        const link = removedLinkOf(row);
        if (link !== undefined) links.push(link);
      }
      return rows.length;
    };
    const count = await body({ statements, run });
    if (live !== undefined) await chain.sayCut(statements, live, removedRuns(links, new LinkHasher()));
    return count;
  });
}

/** What is of no day, and days that began behind that time: the others go as a whole. */
async function olderRanges(database: PostgresDatabase, beforeMs: number): Promise<readonly PlaceRange[]> {
  const firstBehind = Math.max(1, Math.ceil(beforeMs / dayMs)) * placesOfDay;
  return [[Number.MIN_SAFE_INTEGER, placesOfDay], ...(await partRanges(database, firstBehind))];
}

/** Leaves out parts, and leads to no index (postgres-audit.ts). */
const withinRange = 'sequence >= ANY (ARRAY[$2::bigint]) AND sequence < ANY (ARRAY[$3::bigint])';

async function hasOlder(
  database: PostgresDatabase,
  beforeMs: number,
  [from, below]: PlaceRange,
): Promise<boolean> {
  const row = await database.get(
    `SELECT 1 AS older FROM audit WHERE time_ms < $1 AND ${withinRange} LIMIT 1`,
    [beforeMs, from, below],
  );
  return row !== undefined;
}

async function removeOlder(
  removal: Removal,
  {
    beforeMs,
    range,
    limit,
  }: { readonly beforeMs: number; readonly range: PlaceRange; readonly limit: number },
): Promise<number> {
  const [from, below] = range;
  const count = await removeThose(
    removal,
    `SELECT sequence FROM audit WHERE time_ms < $1 AND ${withinRange} ORDER BY time_ms LIMIT $4`,
    [beforeMs, from, below, limit],
  );
  const [oldest] = await partRanges(removal.statements);
  if (oldest !== undefined)
    await removal.statements.run(
      `DELETE FROM audit_mark WHERE sequence <
         coalesce((SELECT min(sequence) FROM audit WHERE sequence >= $1 AND sequence < $2), $2)`,
      oldest,
    );
  return count;
}

/** Found first: a statement that knows between which places they are looks into no other day. */
async function removeThose(removal: Removal, sql: string, values: Values): Promise<number> {
  const places = (await removal.statements.all(sql, values)).map((row) => integerOf(row, 'sequence'));
  if (places.length === 0) return 0;
  return await removal.run(
    'DELETE FROM audit WHERE sequence = ANY ($1::bigint[]) AND sequence >= $2 AND sequence <= $3',
    [places, Math.min(...places), Math.max(...places)],
  );
}

function isOver({ keepEvents, keepBytes }: AuditBounds, held: AuditHeld): boolean {
  return held.events > (keepEvents ?? Infinity) || held.bytes > (keepBytes ?? Infinity);
}

async function removeMost(removal: Removal, bounds: AuditBounds, batch: number): Promise<number> {
  const { statements } = removal;
  let removed = 0;
  while (removed < batch) {
    const held = await auditHeld(statements);
    if (!isOver(bounds, held)) break;
    const most = await statements.get(
      `SELECT holder, first_through, later_events AS events, later_bytes AS bytes FROM audit_holding
       WHERE later_bytes > 0 ORDER BY later_bytes DESC LIMIT 1`,
    );
    const limit = Math.min(
      batch - removed,
      countOver(bounds, held, most === undefined ? held : heldOf(most)),
    );
    const count =
      (most === undefined ? 0 : await removeLater(removal, most, limit)) ||
      (await removeOldest(removal, limit));
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
async function removeLater(removal: Removal, most: StoredRow, limit: number): Promise<number> {
  const holder = textOf(most, 'holder');
  const first = integerOf(most, 'first_through');
  // An id of a session has no colon.
  const [of, column, name] = holder.startsWith(':')
    ? ['session_id IS NULL', 'verdict', holder.slice(1)]
    : ['session_id IS NOT NULL', 'session_id', holder];
  // Between two places of the index: a plan that knows no value reads no more than goes (audit-statement.ts).
  const found = await firstWithin(await partRanges(removal.statements, first + 1), async ([from, below]) =>
    orNone(
      await removeThose(
        removal,
        `SELECT sequence FROM audit WHERE ${of} AND (${column}, sequence) >= ($1, $2) AND (${column}, sequence) < ($1, $3)
           AND ${withinRange} ORDER BY ${column}, sequence LIMIT $4`,
        [name, from, below, limit],
      ),
    ),
  );
  return found ?? 0;
}

async function removeOldest(removal: Removal, limit: number): Promise<number> {
  const found = await firstWithin(await partRanges(removal.statements), async ([from, below]) =>
    orNone(
      await removeThose(
        removal,
        'SELECT sequence FROM audit WHERE sequence >= $1 AND sequence < $2 ORDER BY sequence LIMIT $3',
        [from, below, limit],
      ),
    ),
  );
  return found ?? 0;
}

function orNone(count: number): number | undefined {
  return count === 0 ? undefined : count;
}
