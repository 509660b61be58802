// Tells whether the process that left something in the store still runs: its connection for changes holds an advisory lock, which the
// server gives back with the connection, however the process ends.

import { randomInt, randomUUID } from 'node:crypto';
import type { ClientConfig } from 'pg';
import type { AuditEvent } from '../../api/audit-event.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { auditEventOf } from '../audit-row.ts';
import type { ChangeListener } from '../store.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import { lockClasses } from './postgres-lock.ts';
import { PostgresWatch, type WatchRun } from './postgres-watch.ts';

/**
 * Nobody holds the lock. After a restart of the server nobody does for a moment: those who run have the time to take it again.
 */
const hasEnded = `NOT EXISTS (SELECT 1 FROM pg_catalog.pg_locks AS held
    JOIN pg_catalog.pg_database AS own ON own.oid = held.database AND own.datname = current_database()
    WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 2
      AND held.classid::bigint = ${lockClasses.holder} AND held.objid::bigint = holder.lock_key)
  AND (holder.held_at >= pg_postmaster_start_time()
    OR clock_timestamp() > pg_postmaster_start_time() + ${defaultLimits.storeHolderReturnMs} * interval '1 millisecond')`;

/** What it held is delivered, or nothing comes of it any more: its gateway has ended its exchanges by now, or is gone with its files. */
const spoolIsOver = `(spool.is_finished
    OR spool.delivered_at < clock_timestamp() - ${defaultLimits.storeSpoolReturnMs} * interval '1 millisecond')`;

const whoLeftIt = `LEFT JOIN audit_spool AS spool ON spool.id = marker.holder
  LEFT JOIN audit_holder AS holder ON holder.id = marker.holder`;

const isLeft = `(CASE WHEN spool.id IS NULL THEN holder.id IS NULL OR (${hasEnded}) ELSE ${spoolIsOver} END)`;

/** This process's own holder, and those of others. */
export class PostgresHolder {
  readonly #database: PostgresDatabase;
  readonly #id = randomUUID();
  readonly #lockKey = randomInt(2 ** 31);
  readonly #held = Promise.withResolvers<void>();
  readonly #watch: PostgresWatch;
  #isWanted = false;
  #isHeld = false;

  constructor(database: PostgresDatabase, config: ClientConfig) {
    this.#database = database;
    let connection: WatchRun | undefined;
    this.#watch = new PostgresWatch({
      config,
      onLook: async (run) => {
        if (connection !== run) this.#isHeld = false;
        connection = run;
        if (this.#isWanted && !this.#isHeld) await this.#take(run);
      },
    });
  }

  /** The id under which this process leaves things. Throws ProxyError `store_unavailable` if its lock cannot be had. */
  async own(): Promise<string> {
    this.#isWanted = true;
    this.#watch.start();
    this.#watch.lookNow();
    const deadline = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      deadline.reject(
        new ProxyError(
          'store_unavailable',
          `The store ${this.#database.label} cannot be written: no lock in time.`,
        ),
      );
    }, defaultLimits.storeConnectTimeoutMs);
    try {
      await Promise.race([this.#held.promise, deadline.promise]);
    } finally {
      clearTimeout(timer);
    }
    return this.#id;
  }

  /** Not at once: somebody may deliver the same spool at this moment, and must be told that it has been. */
  async #forgetSpools(): Promise<void> {
    await this.#database.run(
      `DELETE FROM audit_spool AS spool
       WHERE delivered_at < clock_timestamp() - ${defaultLimits.storeSpoolKeptMs} * interval '1 millisecond' AND is_finished
         AND NOT EXISTS (SELECT 1 FROM audit_open WHERE audit_open.holder = spool.id)`,
    );
  }

  onChange(listener: ChangeListener): () => void {
    return this.#watch.onChange(listener);
  }

  /** What processes that are gone have left, the oldest first. */
  async leftOpen(limit: number): Promise<readonly AuditEvent[]> {
    const rows = await this.#database.all(
      `SELECT marker.event FROM audit_open AS marker ${whoLeftIt} WHERE marker.holder <> $1 AND ${isLeft} ORDER BY marker.id LIMIT $2`,
      [this.#id, limit],
    );
    if (rows.length === 0) await this.#forgetSpools();
    if (rows.length === 0)
      await this.#database.run(
        `DELETE FROM audit_holder AS holder WHERE id <> $1 AND ${hasEnded}
           AND NOT EXISTS (SELECT 1 FROM audit_open WHERE audit_open.holder = holder.id)`,
        [this.#id],
      );
    return rows.map(auditEventOf);
  }

  /** What processes that run have not ended yet, behind that id. */
  async stillOpen(behindId: string, limit: number): Promise<readonly AuditEvent[]> {
    const rows = await this.#database.all(
      `SELECT marker.event FROM audit_open AS marker ${whoLeftIt} WHERE marker.id > $1 AND NOT ${isLeft} ORDER BY marker.id LIMIT $2`,
      [behindId, limit],
    );
    return rows.map(auditEventOf);
  }

  /** Gives the own id up. */
  close(): Promise<void> {
    return this.#watch.close();
  }

  /** The lock first: a row without one is that of a process that is gone. */
  async #take(run: WatchRun): Promise<void> {
    const [row] = await run('SELECT pg_try_advisory_lock($1, $2) AS got', [
      lockClasses.holder,
      this.#lockKey,
    ]);
    // An earlier connection of this process may have it still; the next look tries again.
    if (typeof row !== 'object' || row === null || !('got' in row) || row.got !== true) return;
    await run(
      `INSERT INTO audit_holder (id, lock_key, held_at) VALUES ($1, $2, clock_timestamp())
       ON CONFLICT (id) DO UPDATE SET held_at = excluded.held_at`,
      [this.#id, this.#lockKey],
    );
    this.#isHeld = true;
    this.#held.resolve();
  }
}
