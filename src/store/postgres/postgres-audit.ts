// Audit events in PostgreSQL, in the order in which their batches were committed.

import type { AuditEvent } from '../../api/audit-event.ts';
import { auditEventOf } from '../audit-row.ts';
import {
  type AuditPage,
  type AuditPeriod,
  auditPeriod,
  type AuditSearch,
  type PeriodPage,
  queryAudit,
  type SearchEngine,
  searchAudit,
} from '../audit-search.ts';
import type { AuditBounds, AuditEntry, AuditHeld, AuditStore } from '../store.ts';
import type { AuditQuery } from '../audit-search.ts';
import { part } from '../audit-statement.ts';
import { auditHeld } from './postgres-audit-lock.ts';
import { pruneAudit } from './postgres-audit-pruning.ts';
import { PostgresChain } from './postgres-chain.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import { PostgresDelivery } from './postgres-delivery.ts';
import { putMarkers } from './postgres-audit-rows.ts';
import type { PostgresHolder } from './postgres-holder.ts';
import type { PostgresShare } from './postgres-share.ts';

export class PostgresAudit implements AuditStore {
  readonly delivery: PostgresDelivery;
  readonly chain: PostgresChain;
  readonly #database: PostgresDatabase;
  readonly #holder: PostgresHolder;
  readonly #engine: SearchEngine;
  readonly #share: PostgresShare;

  constructor(database: PostgresDatabase, holder: PostgresHolder, share: PostgresShare) {
    this.#database = database;
    this.#share = share;
    this.#engine = searchEngine({ all: (sql, values) => share.ask(() => database.all(sql, values)) });
    this.#holder = holder;
    this.chain = new PostgresChain(database);
    this.delivery = new PostgresDelivery(database, this.chain);
  }

  async append(entries: readonly AuditEntry[], open: readonly AuditEntry[] = []): Promise<void> {
    if (entries.length === 0 && open.length === 0) return;
    const holder = open.length === 0 ? '' : await this.#holder.own();
    if (entries.length === 0)
      return await this.#database.transaction((statements) => putMarkers(statements, open, holder));
    // Batches of several gateways go one after the other: their numbers are in the order of their commits, or a follower would pass over
    // what commits later.
    await this.chain.write(async (statements, put) => {
      if (open.length > 0) await putMarkers(statements, open, holder);
      await put(entries);
    });
  }

  leftOpen(limit: number): Promise<readonly AuditEvent[]> {
    return this.#holder.leftOpen(limit);
  }

  query(query: AuditQuery): Promise<readonly AuditEvent[]> {
    return queryAudit(this.#engine, query);
  }

  async find(id: string): Promise<AuditEvent | undefined> {
    const question = 'SELECT event FROM audit WHERE id = $1';
    const row = await this.#share.ask(() => this.#database.get(question, [id]));
    return row === undefined ? undefined : auditEventOf(row);
  }

  search(search: AuditSearch): Promise<AuditPage> {
    return searchAudit(this.#engine, search);
  }

  period(period: AuditPeriod): Promise<PeriodPage> {
    return auditPeriod(this.#engine, period);
  }

  prune(bounds: AuditBounds): Promise<number> {
    return this.#share.ask(() => pruneAudit(this.#database, bounds, this.chain));
  }

  held(): Promise<AuditHeld> {
    return auditHeld(this.#database);
  }
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
    // `~` sorts behind every digit.
    placesOfTrace: (beginning, limit) =>
      part(
        'SELECT sequence FROM audit WHERE trace >= ? AND trace < ? ORDER BY trace LIMIT ?',
        beginning,
        `${beginning}~`,
        limit,
      ),
  };
}
