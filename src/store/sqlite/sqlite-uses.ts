// The counts of use in SQLite. Whoever stores a batch counts it in the same transaction; what somebody else stored beside it comes first.

import type { AuditPayload } from '../../api/audit-payload.ts';
import { pruneBatch } from '../store.ts';
import { integerOf, textOf } from '../stored-row.ts';
import {
  allHoursMs,
  grantRulePrefix,
  type HourPage,
  lastGrantUseMs,
  lastUseMs,
  namedHoursMs,
  type UsePage,
  type UseQuery,
  type UseRecord,
  type UseStore,
} from '../use-store.ts';
import { hourMs, useFields, UseTally } from '../uses/event-uses.ts';
import { jsonFields } from '../uses/json-fields.ts';
import type { UsedFacts } from '../uses/shared-use.ts';
import { countsOf, useOf } from '../uses/use-row.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** Events that were stored without being counted, of one transaction. */
const leftBatch = 1000;
/** Transactions of one question; what is left then is counted with the next batches. */
const leftBatchesMax = 20;

/** Counts a batch while it is stored. */
export class BatchUses {
  readonly #tally = new UseTally(Date.now());
  #first: number | undefined;
  #last = 0;

  /** An event that was stored at that place; in the order of storing. Without `used` its JSON says it. */
  add(sequence: number, payload: AuditPayload, used?: UsedFacts): void {
    this.#first ??= sequence;
    this.#last = sequence;
    this.#tally.add(payload, used ?? jsonFields(payload.json, useFields));
  }

  /** In the transaction that stored them. */
  write(database: SqliteDatabase): void {
    if (this.#first === undefined) return;
    const through = countedThrough(database);
    // All but always it is the next place.
    if (through < this.#first - 1 && countLeft(database, { through, below: this.#first }) === leftBatch)
      return;
    writeTally(database, this.#tally, this.#last);
  }
}

export class SqliteUses implements UseStore {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async read({ kind, names, fromMs, limit }: UseQuery): Promise<UsePage> {
    this.#catchUp();
    const hour = Math.floor(fromMs / hourMs);
    const rows = this.#database.all(
      `SELECT used.policy, used.name, used.uses, used.last_ms, used.failed_ms, used.failed_code, used.failed_trace,
         coalesce(recent.allowed, 0) AS allowed, coalesce(recent.denied, 0) AS denied, coalesce(recent.failed, 0) AS failed
       FROM audit_use AS used LEFT JOIN (
         SELECT policy, name, sum(allowed) AS allowed, sum(denied) AS denied, sum(failed) AS failed
         FROM audit_use_hour WHERE kind = :kind AND hour >= :hour GROUP BY policy, name
       ) AS recent USING (policy, name)
       WHERE used.kind = :kind AND (:names IS NULL OR used.name IN (SELECT value FROM json_each(:names)))
       ORDER BY used.last_ms DESC, used.policy, used.name LIMIT :limit`,
      { kind, hour, limit, names: names === undefined ? null : JSON.stringify(names) },
    );
    const items = rows.map((row): UseRecord => Object.assign({ kind }, useOf(row)));
    return { ...this.#state(hour), items };
  }

  async hours(fromMs: number): Promise<HourPage> {
    this.#catchUp();
    const hour = Math.floor(fromMs / hourMs);
    const rows = this.#database.all(
      `SELECT hour, sum(allowed) AS allowed, sum(denied) AS denied, sum(failed) AS failed FROM audit_use_hour
       WHERE kind = 'all' AND hour >= :hour GROUP BY hour ORDER BY hour`,
      { hour },
    );
    const hours = rows.map((row) => Object.assign({ hour: integerOf(row, 'hour') }, countsOf(row)));
    return { ...this.#state(hour), hours };
  }

  async prune(nowMs: number): Promise<number> {
    return this.#database.transaction(() => {
      const hours = this.#database.run(
        `DELETE FROM audit_use_hour WHERE (kind, hour, policy, name) IN (SELECT kind, hour, policy, name FROM audit_use_hour
           WHERE (kind IN ('rule', 'observed', 'credential') AND hour < :named) OR (kind = 'all' AND hour < :all) LIMIT ${pruneBatch})`,
        {
          named: Math.floor((nowMs - namedHoursMs) / hourMs),
          all: Math.floor((nowMs - allHoursMs) / hourMs),
        },
      );
      const names = this.#database.run(
        `DELETE FROM audit_use WHERE (kind, policy, name) IN (SELECT kind, policy, name FROM audit_use WHERE last_ms < :last OR
           (kind = 'rule' AND policy = '' AND name >= :grant AND name < :grantEnd AND last_ms < :lastGrant) LIMIT ${pruneBatch})`,
        {
          last: nowMs - lastUseMs,
          grant: grantRulePrefix,
          grantEnd: `${grantRulePrefix}~`,
          lastGrant: nowMs - lastGrantUseMs,
        },
      );
      return Math.max(hours, names);
    });
  }

  #state(hour: number): Omit<UsePage, 'items'> {
    const row = this.#database.get('SELECT since_ms FROM audit_use_state') ?? {};
    return { sinceMs: integerOf(row, 'since_ms'), fromMs: hour * hourMs };
  }

  /** What a program of a version before stored last. */
  #catchUp(): void {
    for (let batches = 0; batches < leftBatchesMax; batches += 1) {
      const stored = integerOf(
        this.#database.get('SELECT coalesce(max(sequence), 0) AS last FROM audit') ?? {},
        'last',
      );
      if (countedThrough(this.#database) >= stored) return;
      this.#database.transaction(() =>
        countLeft(this.#database, { through: countedThrough(this.#database), below: stored + 1 }),
      );
    }
  }
}

function countedThrough(database: SqliteDatabase): number {
  return integerOf(database.get('SELECT through FROM audit_use_state') ?? {}, 'through');
}

/** Gives how many it counted. */
function countLeft(
  database: SqliteDatabase,
  { through, below }: { readonly through: number; readonly below: number },
): number {
  const rows = database.all(
    `SELECT sequence, verdict, kind, time_ms, event FROM audit WHERE sequence > :through AND sequence < :below ORDER BY sequence LIMIT ${leftBatch}`,
    { through, below },
  );
  const tally = new UseTally(Date.now());
  for (const row of rows) {
    const fields = jsonFields(Buffer.from(textOf(row, 'event')), useFields);
    tally.add(
      { verdict: textOf(row, 'verdict'), kind: textOf(row, 'kind'), timeMs: integerOf(row, 'time_ms') },
      fields,
    );
  }
  const last = rows.at(-1);
  // Nothing is left up to there: what was between was removed.
  const reached = rows.length === leftBatch && last !== undefined ? integerOf(last, 'sequence') : below - 1;
  writeTally(database, tally, reached);
  return rows.length;
}

function writeTally(database: SqliteDatabase, tally: UseTally, through: number): void {
  for (const { kind, policy, name, uses, lastMs, failure } of tally.sums)
    database.run(
      `INSERT INTO audit_use VALUES (:kind, :policy, :name, :uses, :lastMs, :failedMs, :failedCode, :failedTrace)
       ON CONFLICT (kind, policy, name) DO UPDATE SET
         uses = uses + excluded.uses,
         last_ms = max(last_ms, excluded.last_ms),
         failed_code = iif(excluded.failed_ms >= coalesce(failed_ms, 0), excluded.failed_code, failed_code),
         failed_trace = iif(excluded.failed_ms >= coalesce(failed_ms, 0), excluded.failed_trace, failed_trace),
         failed_ms = iif(excluded.failed_ms >= coalesce(failed_ms, 0), excluded.failed_ms, failed_ms)`,
      {
        kind,
        policy,
        name,
        uses,
        lastMs,
        failedMs: failure?.ms ?? null,
        failedCode: failure?.code ?? null,
        failedTrace: failure?.trace ?? null,
      },
    );
  for (const { kind, policy, name, hour, allowed, denied, failed } of tally.hours)
    database.run(
      `INSERT INTO audit_use_hour VALUES (:hour, :kind, :policy, :name, :allowed, :denied, :failed)
       ON CONFLICT (kind, hour, policy, name) DO UPDATE SET allowed = allowed + excluded.allowed,
         denied = denied + excluded.denied, failed = failed + excluded.failed`,
      { hour, kind, policy, name, allowed, denied, failed },
    );
  database.run('UPDATE audit_use_state SET through = :through', { through });
}
