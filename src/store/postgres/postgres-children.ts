// Sessions that others made, in PostgreSQL. What ends them is a trigger (postgres-children-schema.ts).

import { boundReached, canNarrow, childOf, narrowedOf, sessionOf } from '../session-row.ts';
import type {
  NarrowBounds,
  NarrowedSession,
  NarrowOutcome,
  NewChild,
  NewSession,
  SessionRecord,
} from '../store.ts';
import type { PostgresDatabase, Statements } from './postgres-database.ts';
import { lock } from './postgres-lock.ts';

export const living = `state IN ('enrolled', 'committed')`;
export const columns = `id, token_key, token_expires_ms, principal_id, claims, posture, key_thumbprint, agent_version, state,
  enrolled_ms, commit_by_ms, ends_ms, committed_ms, over_ms, reason, above`;

/** `insert` stores it as committed. */
export async function narrow(
  statements: Statements,
  child: NewChild,
  bounds: NarrowBounds,
  insert: (session: NewSession) => Promise<void>,
): Promise<NarrowOutcome> {
  const sql = `SELECT ${columns} FROM session WHERE id = $1`;
  const named = await statements.get(sql, [child.parentId]);
  if (named === undefined) return { kind: 'over' };
  // Those of one root count one behind the other.
  await lock(statements, 'token', `below ${sessionOf(named).above?.[0] ?? child.parentId}`);
  const row = await statements.get(`${sql} FOR UPDATE`, [child.parentId]);
  const parent = row === undefined ? undefined : sessionOf(row);
  if (!canNarrow(parent, child.nowMs)) return { kind: 'over' };
  const session = childOf(parent, child);
  const counts = await statements.get(
    `SELECT count(*) AS stored, count(*) FILTER (WHERE ${living}) AS living FROM session WHERE root_id = $1`,
    [session.above?.[0] ?? ''],
  );
  const bound = boundReached(session, counts, bounds);
  if (bound !== undefined) return { kind: 'too_many', bound };
  await insert(session);
  await statements.run('INSERT INTO session_narrowing (session_id, policy) VALUES ($1, $2)', [
    session.id,
    child.policy,
  ]);
  return { kind: 'narrowed', session: { ...session, state: 'committed', committedMs: child.nowMs } };
}

export async function narrowingsOf(
  database: Pick<PostgresDatabase, 'all'>,
  ids: readonly string[],
): Promise<readonly NarrowedSession[]> {
  const rows = await database.all(
    'SELECT session_id, policy FROM session_narrowing WHERE session_id = ANY ($1::text[]) ORDER BY session_id',
    [[...ids]],
  );
  return rows.map(narrowedOf);
}

export async function sessionsBelow(
  database: Pick<PostgresDatabase, 'all'>,
  { id, above }: Pick<SessionRecord, 'id' | 'above'>,
): Promise<readonly SessionRecord[]> {
  const rows = await database.all(
    `SELECT ${columns} FROM session WHERE root_id = $2 AND strpos(above, $3) > 0
       AND (${living} OR over_ms = (SELECT over_ms FROM session WHERE id = $1)) ORDER BY enrolled_ms, length(above), id`,
    [id, above?.[0] ?? id, `/${id}/`],
  );
  return rows.map(sessionOf);
}
