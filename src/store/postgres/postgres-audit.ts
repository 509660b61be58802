// Audit events in PostgreSQL, in the order in which their batches were committed.

import type { AuditEvent } from '../../api/audit-event.ts';
import { auditEventOf } from '../audit-row.ts';
import type { AuditBounds, AuditEntry, AuditHeld, AuditQuery, AuditStore } from '../store.ts';
import { integerOf } from '../stored-row.ts';
import { auditHeld, lockAudit, pruneAudit } from './postgres-audit-pruning.ts';
import type { PostgresDatabase, Statements } from './postgres-database.ts';
import type { PostgresHolder } from './postgres-holder.ts';

export class PostgresAudit implements AuditStore {
  readonly #database: PostgresDatabase;
  readonly #holder: PostgresHolder;

  constructor(database: PostgresDatabase, holder: PostgresHolder) {
    this.#database = database;
    this.#holder = holder;
  }

  async append(entries: readonly AuditEntry[], open: readonly AuditEntry[] = []): Promise<void> {
    if (entries.length === 0 && open.length === 0) return;
    const holder = open.length === 0 ? '' : await this.#holder.own();
    await this.#database.transaction(async (statements) => {
      // Batches of several gateways go one after the other: their numbers are in the order of their commits, or a follower would pass
      // over what commits later.
      if (entries.length > 0) await lockAudit(statements);
      if (open.length > 0) await putMarkers(statements, open, holder);
      if (entries.length > 0) await putEvents(statements, entries);
    });
  }

  leftOpen(limit: number): Promise<readonly AuditEvent[]> {
    return this.#holder.leftOpen(limit);
  }

  async query(query: AuditQuery): Promise<readonly AuditEvent[]> {
    const { sinceId, beforeId } = query;
    const { sql, values } = auditStatement(query, {
      since: sinceId === undefined ? undefined : await this.#sequenceOf(sinceId),
      before: beforeId === undefined ? undefined : await this.#sequenceOf(beforeId),
    });
    return (await this.#database.all(sql, values)).map(auditEventOf);
  }

  async find(id: string): Promise<AuditEvent | undefined> {
    const row = await this.#database.get('SELECT event FROM audit WHERE id = $1', [id]);
    return row === undefined ? undefined : auditEventOf(row);
  }

  async #sequenceOf(id: string): Promise<number | undefined> {
    const row = await this.#database.get('SELECT sequence FROM audit WHERE id = $1', [id]);
    return row === undefined ? undefined : integerOf(row, 'sequence');
  }

  prune(bounds: AuditBounds): Promise<number> {
    return pruneAudit(this.#database, bounds);
  }

  held(): Promise<AuditHeld> {
    return auditHeld(this.#database);
  }
}

/** The statement of a question; `known` are the places of the events that it names, as far as they are stored. */
export function auditStatement(
  query: AuditQuery,
  known: { readonly since?: number | undefined; readonly before?: number | undefined },
): { readonly sql: string; readonly values: readonly (string | number)[] } {
  const values: (string | number)[] = [query.limit];
  const conditions: string[] = [];
  const add = (condition: string, value: string | number): void => {
    values.push(value);
    conditions.push(`${condition} $${values.length}`);
  };
  if (query.sessionId !== undefined) add('session_id =', query.sessionId);
  // Said beside the value, which a plan that is made once does not know: by it the index of what was not allowed serves.
  if (query.verdict !== undefined && query.verdict !== 'allow') conditions.push("verdict <> 'allow'");
  if (query.kind !== undefined && query.kind !== 'exchange') conditions.push("kind <> 'exchange'");
  if (query.verdict !== undefined) add('verdict =', query.verdict);
  if (query.kind !== undefined) add('kind =', query.kind);
  for (const [id, sequence, sign] of [
    [query.sinceId, known.since, '>'],
    [query.beforeId, known.before, '<'],
  ] as const) {
    if (id === undefined) continue;
    // An event that was pruned still says where it stood: ids sort by time.
    if (sequence === undefined) add(`id ${sign}`, id);
    else add(`sequence ${sign}`, sequence);
  }
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
  const direction = query.order === 'newest' ? 'DESC' : 'ASC';
  return { sql: `SELECT event FROM audit ${where} ORDER BY sequence ${direction} LIMIT $1`, values };
}

async function putMarkers(
  statements: Statements,
  open: readonly AuditEntry[],
  holder: string,
): Promise<void> {
  // One statement changes a row once: the last word on an exchange counts. In the order of the key, as any other that changes several.
  const markers = [...new Map(open.map((entry) => [entry.id, entry])).values()];
  await statements.run(
    `INSERT INTO audit_open (id, holder, event)
     SELECT id, $1, event FROM unnest($2::text[], $3::text[]) AS marker (id, event) ORDER BY id
     ON CONFLICT (id) DO UPDATE SET event = excluded.event`,
    [holder, markers.map(({ id }) => id), markers.map(({ json }) => json)],
  );
}

/** A batch whose outcome was uncertain is appended again, so the same id twice is one event. A trigger keeps the sums. */
async function putEvents(statements: Statements, entries: readonly AuditEntry[]): Promise<void> {
  await statements.run(
    `INSERT INTO audit (id, time_ms, session_id, verdict, kind, event)
     SELECT id, time_ms, session_id, verdict, kind, event
     FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[])
       WITH ORDINALITY AS entry (id, time_ms, session_id, verdict, kind, event, place)
     ORDER BY place
     ON CONFLICT (id) DO NOTHING`,
    [
      entries.map(({ id }) => id),
      entries.map(({ timeMs }) => timeMs),
      entries.map(({ sessionId }) => sessionId ?? null),
      entries.map(({ verdict }) => verdict),
      entries.map(({ kind }) => kind),
      entries.map(({ json }) => json),
    ],
  );
  const ended = entries.filter(({ wasOpen }) => wasOpen === true).map(({ id }) => id);
  if (ended.length > 0) await statements.run('DELETE FROM audit_open WHERE id = ANY ($1::text[])', [ended]);
}
