// Audit events in PostgreSQL, in the order in which their batches were committed.

import type { AuditEvent } from '../../api/audit-event.ts';
import { auditEventOf } from '../audit-row.ts';
import {
  type AuditPage,
  type AuditPeriod,
  auditPeriod,
  type AuditSearch,
  type PeriodPage,
  type SearchEngine,
  searchAudit,
} from '../audit-search.ts';
import type { AuditBounds, AuditEntry, AuditHeld, AuditQuery, AuditStore } from '../store.ts';
import { integerOf } from '../stored-row.ts';
import { auditHeld, lockAudit, pruneAudit } from './postgres-audit-pruning.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import { PostgresDelivery } from './postgres-delivery.ts';
import { putEvents, putMarkers } from './postgres-audit-rows.ts';
import type { PostgresHolder } from './postgres-holder.ts';

export class PostgresAudit implements AuditStore {
  readonly delivery: PostgresDelivery;
  readonly #database: PostgresDatabase;
  readonly #holder: PostgresHolder;
  readonly #engine: SearchEngine;

  constructor(database: PostgresDatabase, holder: PostgresHolder) {
    this.#database = database;
    this.#engine = searchEngine(database);
    this.#holder = holder;
    this.delivery = new PostgresDelivery(database);
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

  search(search: AuditSearch): Promise<AuditPage> {
    return searchAudit(this.#engine, search);
  }

  period(period: AuditPeriod): Promise<PeriodPage> {
    return auditPeriod(this.#engine, period);
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

/** How the audit is searched; a test looks at the plans. */
export function searchEngine(database: Pick<PostgresDatabase, 'all'>): SearchEngine {
  return {
    all: (sql, values) => database.all(sql, values),
    place: (number) => `$${number}`,
    listed: 'sequence = ANY (?::bigint[])',
    newestOfHosts: `SELECT found.host, found.sequence FROM unnest($1::text[]) AS wanted (host) CROSS JOIN LATERAL (
        SELECT audit.host, sequence FROM audit WHERE audit.host IS NOT NULL
          AND (audit.host, sequence) < (wanted.host, $2) AND (audit.host, sequence) > (wanted.host, $3)
        ORDER BY audit.host DESC, sequence DESC LIMIT $4) AS found`,
  };
}
