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
  rowOfEvent,
  searchAudit,
} from '../audit-search.ts';
import type { AuditBounds, AuditEntry, AuditHeld, AuditStore } from '../store.ts';
import type { SearchEngine } from '../audit-engine.ts';
import type { AuditQuery } from '../audit-search.ts';
import { part } from '../audit-statement.ts';
import { auditParts, PostgresAuditDays } from './postgres-audit-days.ts';
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
  readonly #days: PostgresAuditDays;

  constructor(database: PostgresDatabase, holder: PostgresHolder, share: PostgresShare) {
    this.#database = database;
    this.#share = share;
    this.#engine = searchEngine({ all: (sql, values) => share.ask(() => database.all(sql, values)) });
    this.#holder = holder;
    this.chain = new PostgresChain(database);
    this.delivery = new PostgresDelivery(database, this.chain);
    this.#days = new PostgresAuditDays(database, this.chain);
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

  stillOpen(behindId: string, limit: number): Promise<readonly AuditEvent[]> {
    return this.#share.ask(() => this.#holder.stillOpen(behindId, limit));
  }

  query(query: AuditQuery): Promise<readonly AuditEvent[]> {
    return queryAudit(this.#engine, query);
  }

  async find(id: string): Promise<AuditEvent | undefined> {
    const row = await rowOfEvent(this.#engine, id, 'event');
    return row === undefined ? undefined : auditEventOf(row);
  }

  search(search: AuditSearch): Promise<AuditPage> {
    return searchAudit(this.#engine, search);
  }

  period(period: AuditPeriod): Promise<PeriodPage> {
    return auditPeriod(this.#engine, period);
  }

  prune(bounds: AuditBounds): Promise<number> {
    const { chain } = this;
    return this.#share.ask(() => pruneAudit(this.#database, bounds, { chain, days: this.#days }));
  }

  dropDay(beforeMs: number, signal?: AbortSignal): Promise<number> {
    return this.#share.ask(() => this.#days.dropBefore(beforeMs, signal));
  }

  makeRoom(): Promise<number | undefined> {
    return this.#days.make();
  }

  roomProblems(keepDays: number): Promise<readonly string[]> {
    return this.#days.problems(keepDays);
  }

  held(): Promise<AuditHeld> {
    return auditHeld(this.#database);
  }
}

/** How long the parts that are known are taken for those that there are: one that was made since is behind them, one that went is empty. */
const partsKnownMs = 60_000;

/** How the audit is searched; a test looks at the plans. */
export function searchEngine(database: Pick<PostgresDatabase, 'all'>): SearchEngine {
  let known: { readonly parts: readonly number[]; readonly atMs: number } | undefined;
  return {
    all: (sql, values) => database.all(sql, values),
    place: (number) => `$${number}`,
    listed: 'sequence = ANY (?::bigint[])',
    parts: {
      firsts: async () => {
        const nowMs = performance.now();
        if (known === undefined || nowMs - known.atMs > partsKnownMs)
          known = { parts: await auditParts(database), atMs: nowMs };
        return known.parts;
      },
      // As two comparisons they would be taken for a range that hardly anything is in, and the index of the primary key for the best one. From
      // the first place on: behind the last one of a part there may be more of it, for all that a plan knows.
      within: ({ below, above }) => [
        part('sequence < ANY (ARRAY[?::bigint])', below),
        part('sequence >= ANY (ARRAY[?::bigint])', above + 1),
      ],
    },
    newestOfHosts: `SELECT found.host, found.sequence FROM unnest($1::text[]) AS wanted (host) CROSS JOIN LATERAL (
        SELECT audit.host, sequence FROM audit WHERE audit.host IS NOT NULL
          AND (audit.host, sequence) < (wanted.host, $2) AND (audit.host, sequence) > (wanted.host, $3)
          AND sequence < ANY (ARRAY[$2::bigint]) AND sequence >= ANY (ARRAY[$3::bigint + 1])
        ORDER BY audit.host DESC, sequence DESC LIMIT $4) AS found`,
    // `~` sorts behind every digit.
    tracesOf: (beginning) => ({
      where: part('trace >= ? AND trace < ?', beginning, `${beginning}~`),
      order: 'trace',
    }),
  };
}
