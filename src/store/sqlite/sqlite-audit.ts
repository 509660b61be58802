// Audit events in SQLite, in the order in which they were stored.

import type { AuditEvent } from '../../api/audit-event.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { auditHeld, pruneAudit } from './sqlite-audit-pruning.ts';
import { SqliteChainOwner } from './sqlite-chain-owner.ts';
import { type AuditWriter, startAuditWriter, writeAudit } from './sqlite-audit-writer.ts';
import { ProcessHolders } from '../process-holders.ts';
import { textOf } from '../stored-row.ts';
import { auditEventOf } from '../audit-row.ts';
import { AuditRecordWriter } from '../audit-records.ts';
import {
  type AuditPage,
  type AuditPeriod,
  auditPeriod,
  type AuditSearch,
  type PeriodPage,
  queryAudit,
  searchAudit,
} from '../audit-search.ts';
import type { AuditBounds, AuditEntry, AuditHeld, AuditStore } from '../store.ts';
import type { SearchEngine } from '../audit-engine.ts';
import type { AuditQuery } from '../audit-search.ts';
import { part } from '../audit-statement.ts';
import { batchUsed } from '../uses/shared-use.ts';

/** Batches before the thread is worth its start: a command that reads a little never needs it. */
const batchesBeforeWriter = 20;
/** A larger batch is worth it at once: on the main thread every stream would wait for it. */
const eventsBeforeWriter = 64;
/** Of a trace in the index. */
const traceStartDigits = 12;

export class SqliteAudit implements AuditStore {
  readonly #database: SqliteDatabase;
  /** Path of a database file; undefined for one in memory, which no other connection can see. */
  readonly #path: string | undefined;
  readonly #holders: ProcessHolders | undefined;
  readonly #records = new AuditRecordWriter();
  readonly #engine: SearchEngine;
  readonly chain: SqliteChainOwner;
  #batches = 0;
  #writer: AuditWriter | undefined;

  constructor(database: SqliteDatabase, path?: string) {
    this.chain = new SqliteChainOwner(database, () => this.#writer);
    this.#database = database;
    this.#engine = searchEngine(database);
    this.#path = path;
    this.#holders = path === undefined ? undefined : new ProcessHolders(path);
  }

  async close(): Promise<void> {
    await this.#writer?.close();
    this.#holders?.close();
  }

  async append(entries: readonly AuditEntry[], open: readonly AuditEntry[] = []): Promise<void> {
    if (entries.length === 0 && open.length === 0) return;
    const holder = open.length === 0 ? '' : (this.#holders?.own() ?? '');
    const batch = { records: this.#records.write(entries, open), holder, used: batchUsed(entries) };
    this.#batches += 1;
    const isLarge = entries.length + open.length > eventsBeforeWriter;
    if (this.#path !== undefined && (isLarge || this.#batches > batchesBeforeWriter)) {
      this.#writer ??= startAuditWriter(this.#path);
    }
    await this.chain.settled();
    // Without the thread it goes on here: slower for the streams, and nothing is lost.
    const chain = this.chain.ofNext();
    if (this.#writer?.isRunning === true) await this.#writer.append(batch);
    else writeAudit(this.#database, batch, chain?.live);
  }

  async leftOpen(limit: number): Promise<readonly AuditEvent[]> {
    const ended = this.#holdersThat((hasEnded) => hasEnded);
    if (ended.length === 0) {
      this.#holders?.sweep();
      return [];
    }
    return this.#markers(ended, '', limit);
  }

  async stillOpen(behindId: string, limit: number): Promise<readonly AuditEvent[]> {
    return this.#markers(
      this.#holdersThat((hasEnded) => !hasEnded),
      behindId,
      limit,
    );
  }

  #holdersThat(fits: (hasEnded: boolean) => boolean): readonly string[] {
    // One in memory ends with its process.
    const hasEnded = (id: string): boolean => this.#holders?.hasEnded(id) === true;
    return this.#database
      .all('SELECT DISTINCT holder FROM audit_open')
      .map((row) => textOf(row, 'holder'))
      .filter((id) => fits(hasEnded(id)));
  }

  #markers(holders: readonly string[], behind: string, limit: number): readonly AuditEvent[] {
    return this.#database
      .all(
        `SELECT event FROM audit_open WHERE id > :behind AND holder IN (SELECT value FROM json_each(:holders))
         ORDER BY id LIMIT :limit`,
        { holders: JSON.stringify(holders), behind, limit },
      )
      .map(auditEventOf);
  }

  query(query: AuditQuery): Promise<readonly AuditEvent[]> {
    return queryAudit(this.#engine, query);
  }

  async find(id: string): Promise<AuditEvent | undefined> {
    const row = this.#database.get('SELECT event FROM audit WHERE id = :id', { id });
    return row === undefined ? undefined : auditEventOf(row);
  }

  search(search: AuditSearch): Promise<AuditPage> {
    return searchAudit(this.#engine, search);
  }

  period(period: AuditPeriod): Promise<PeriodPage> {
    return auditPeriod(this.#engine, period);
  }

  async prune(bounds: AuditBounds): Promise<number> {
    await this.chain.settled();
    const chain = this.chain.ofNext();
    chain?.believe(this.chain.identityKeys);
    return this.#writer?.isRunning === true
      ? await this.#writer.prune(bounds, this.chain.identityKeys)
      : pruneAudit(this.#database, bounds, chain);
  }

  async held(): Promise<AuditHeld> {
    return auditHeld(this.#database);
  }
}

function searchEngine(database: SqliteDatabase): SearchEngine {
  return {
    all: async (sql, values) =>
      database.all(
        sql,
        Object.fromEntries(
          values.map((value, at) => [
            `v${at + 1}`,
            typeof value === 'object' ? JSON.stringify(value) : value,
          ]),
        ),
      ),
    place: (number) => `:v${number}`,
    listed: 'sequence IN (SELECT value FROM json_each(?))',
    newestOfHosts: `SELECT wanted.value AS host, audit.sequence FROM json_each(:v1) AS wanted CROSS JOIN audit
      WHERE audit.sequence IN (SELECT sequence FROM audit AS one WHERE one.host = wanted.value
        AND one.sequence < :v2 AND one.sequence > :v3 ORDER BY one.sequence DESC LIMIT :v4)`,
    tracesOf: (beginning) => {
      // The index has the first six octets; what more is asked for is looked at in the rows.
      const start = beginning.slice(0, traceStartDigits);
      const where = part(
        'trace_start BETWEEN unhex(?) AND unhex(?) AND substr(trace, 1, ?) = ?',
        // Whole octets: what is shorter sorts before all that begins with it.
        start.slice(0, start.length - (start.length % 2)),
        start.padEnd(traceStartDigits, 'f'),
        beginning.length,
        beginning,
      );
      return { where, order: 'trace_start' };
    },
  };
}
