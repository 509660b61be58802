// Audit events in SQLite, in the order in which they were stored.

import type { AuditEvent } from '../api/audit-event.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { type AuditWriter, pruneAudit, startAuditWriter, writeAudit } from './sqlite-audit-writer.ts';
import { integerOf, jsonOf } from './sqlite-row.ts';
import type { AuditBounds, AuditEntry, AuditQuery, AuditStore } from './store.ts';

/** Batches before the thread is worth its start: a command that reads a little never needs it. */
const batchesBeforeWriter = 20;

export class SqliteAudit implements AuditStore {
  readonly #database: SqliteDatabase;
  /** Path of a database file; undefined for one in memory, which no other connection can see. */
  readonly #path: string | undefined;
  #batches = 0;
  #writer: AuditWriter | undefined;

  constructor(database: SqliteDatabase, path?: string) {
    this.#database = database;
    this.#path = path;
  }

  async close(): Promise<void> {
    await this.#writer?.close();
  }

  async append(entries: readonly AuditEntry[]): Promise<void> {
    if (entries.length === 0) return;
    this.#batches += 1;
    if (this.#path !== undefined && this.#batches > batchesBeforeWriter) {
      this.#writer ??= startAuditWriter(this.#path);
    }
    // Without the thread it goes on here: slower for the streams, and nothing is lost.
    if (this.#writer?.isRunning === true) await this.#writer.append(entries);
    else writeAudit(this.#database, entries);
  }

  async query(query: AuditQuery): Promise<readonly AuditEvent[]> {
    const conditions: string[] = [];
    const parameters: Record<string, string | number> = { limit: query.limit };
    for (const [column, value] of [
      ['session_id', query.sessionId],
      ['verdict', query.verdict],
      ['kind', query.kind],
    ] as const) {
      if (value === undefined) continue;
      conditions.push(`${column} = :${column}`);
      parameters[column] = value;
    }
    if (query.sinceId !== undefined) {
      const sequence = this.#sequenceOf(query.sinceId);
      // An event that was pruned still says where it stood: ids sort by time.
      conditions.push(sequence === undefined ? 'id > :since' : 'sequence > :since');
      parameters['since'] = sequence ?? query.sinceId;
    }
    const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
    const direction = query.order === 'newest' ? 'DESC' : 'ASC';
    const sql = `SELECT event FROM audit ${where} ORDER BY sequence ${direction} LIMIT :limit`;
    return this.#database.all(sql, parameters).map((row) => jsonOf<AuditEvent>(row, 'event'));
  }

  #sequenceOf(id: string): number | undefined {
    const row = this.#database.get('SELECT sequence FROM audit WHERE id = :id', { id });
    return row === undefined ? undefined : integerOf(row, 'sequence');
  }

  async prune(bounds: AuditBounds): Promise<number> {
    return this.#writer?.isRunning === true
      ? await this.#writer.prune(bounds)
      : pruneAudit(this.#database, bounds);
  }
}
