// Sessions that others made, in SQLite. What ends them is a trigger (sqlite-children-schema.ts).

import { boundReached, canNarrow, childOf, narrowedOf, sessionOf } from '../session-row.ts';
import type {
  NarrowBounds,
  NarrowedSession,
  NarrowOutcome,
  NewChild,
  NewSession,
  SessionRecord,
} from '../store.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

export const living = `state IN ('enrolled', 'committed')`;

/** Within a transaction; `insert` stores it as committed. */
export function narrow(
  database: SqliteDatabase,
  child: NewChild,
  bounds: NarrowBounds,
  insert: (session: NewSession) => void,
): NarrowOutcome {
  const row = database.get('SELECT * FROM session WHERE id = :id', { id: child.parentId });
  const parent = row === undefined ? undefined : sessionOf(row);
  if (!canNarrow(parent, child.nowMs)) return { kind: 'over' };
  const session = childOf(parent, child);
  const counts = database.get(
    `SELECT count(*) AS stored, coalesce(sum(${living}), 0) AS living FROM session WHERE root_id = :rootId`,
    { rootId: session.above?.[0] ?? '' },
  );
  const bound = boundReached(session, counts, bounds);
  if (bound !== undefined) return { kind: 'too_many', bound };
  insert(session);
  database.run('INSERT INTO session_narrowing (session_id, policy) VALUES (:id, :policy)', {
    id: session.id,
    policy: child.policy,
  });
  return { kind: 'narrowed', session: { ...session, state: 'committed', committedMs: child.nowMs } };
}

export function narrowingsOf(database: SqliteDatabase, ids: readonly string[]): readonly NarrowedSession[] {
  const sql = `SELECT session_id, policy FROM session_narrowing
    WHERE session_id IN (SELECT value FROM json_each(:ids)) ORDER BY session_id`;
  return database.all(sql, { ids: JSON.stringify(ids) }).map(narrowedOf);
}

export function sessionsBelow(
  database: SqliteDatabase,
  { id, above }: Pick<SessionRecord, 'id' | 'above'>,
): readonly SessionRecord[] {
  const sql = `SELECT * FROM session WHERE root_id = :rootId AND instr(above, :mark) > 0
    AND (${living} OR over_ms = (SELECT over_ms FROM session WHERE id = :id)) ORDER BY enrolled_ms, length(above), id`;
  return database.all(sql, { id, rootId: above?.[0] ?? id, mark: `/${id}/` }).map(sessionOf);
}
