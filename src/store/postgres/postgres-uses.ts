// The counts of use in PostgreSQL. Whoever stores events counts them in the same transaction, behind the lock of the sums; for a program of
// the version before a trigger does (postgres-use-schema.ts).

import { pruneBatch } from '../store.ts';
import { integerOf } from '../stored-row.ts';
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
import { hourMs, type UseTally } from '../uses/event-uses.ts';
import { countsOf, useOf } from '../uses/use-row.ts';
import { lockAudit } from './postgres-audit-lock.ts';
import type { PostgresDatabase, Statements } from './postgres-database.ts';
import type { PostgresShare } from './postgres-share.ts';

export class PostgresUses implements UseStore {
  readonly #database: PostgresDatabase;
  readonly #share: PostgresShare;

  constructor(database: PostgresDatabase, share: PostgresShare) {
    this.#database = database;
    this.#share = share;
  }

  read(query: UseQuery): Promise<UsePage | undefined> {
    return this.#share.ask(() => this.#read(query));
  }

  hours(fromMs: number): Promise<HourPage | undefined> {
    return this.#share.ask(() => this.#hours(fromMs));
  }

  async prune(nowMs: number): Promise<number> {
    if (!(await this.#counts())) return 0;
    const [named, all] = [namedHoursMs, allHoursMs].map((ms) => Math.floor((nowMs - ms) / hourMs));
    // Behind the lock of those who count: rows in another order than theirs would be waited for in a circle.
    return await this.#database.transaction(async (statements) => {
      await lockAudit(statements);
      const hours = await statements.run(
        `DELETE FROM audit_use_hour WHERE (kind, hour, policy, name) IN (SELECT kind, hour, policy, name FROM audit_use_hour
           WHERE (kind IN ('rule', 'observed', 'credential') AND hour < $1) OR (kind = 'all' AND hour < $2) LIMIT ${pruneBatch})`,
        [named ?? 0, all ?? 0],
      );
      const names = await statements.run(
        `DELETE FROM audit_use WHERE (kind, policy, name) IN (SELECT kind, policy, name FROM audit_use WHERE last_ms < $1
           OR (kind = 'rule' AND policy = '' AND starts_with(name, '${grantRulePrefix}') AND last_ms < $2) LIMIT ${pruneBatch})`,
        [nowMs - lastUseMs, nowMs - lastGrantUseMs],
      );
      return Math.max(hours, names);
    });
  }

  async #read({ kind, names, fromMs, limit }: UseQuery): Promise<UsePage | undefined> {
    const hour = Math.floor(fromMs / hourMs);
    const state = await this.#state(hour);
    if (state === undefined) return undefined;
    const rows = await this.#database.all(
      `SELECT policy, name, uses, last_ms, failed_ms, failed_code, failed_trace,
         coalesce(allowed, 0)::bigint AS allowed, coalesce(denied, 0)::bigint AS denied, coalesce(failed, 0)::bigint AS failed
       FROM audit_use LEFT JOIN (
         SELECT policy, name, sum(allowed) AS allowed, sum(denied) AS denied, sum(failed) AS failed
         FROM audit_use_hour WHERE kind = $1 AND hour >= $2 GROUP BY policy, name
       ) AS recent USING (policy, name)
       WHERE kind = $1 AND ($3::text[] IS NULL OR name = ANY ($3::text[]))
       ORDER BY last_ms DESC, policy, name LIMIT $4`,
      [kind, hour, names ?? null, limit],
    );
    return { ...state, items: rows.map((row): UseRecord => Object.assign({ kind }, useOf(row))) };
  }

  async #hours(fromMs: number): Promise<HourPage | undefined> {
    const hour = Math.floor(fromMs / hourMs);
    const state = await this.#state(hour);
    if (state === undefined) return undefined;
    const rows = await this.#database.all(
      `SELECT hour, sum(allowed)::bigint AS allowed, sum(denied)::bigint AS denied, sum(failed)::bigint AS failed
       FROM audit_use_hour WHERE kind = 'all' AND hour >= $1 GROUP BY hour ORDER BY hour`,
      [hour],
    );
    return {
      ...state,
      hours: rows.map((row) => Object.assign({ hour: integerOf(row, 'hour') }, countsOf(row))),
    };
  }

  async #state(hour: number): Promise<Omit<UsePage, 'items'> | undefined> {
    if (!(await this.#counts())) return undefined;
    const row = await this.#database.get('SELECT since_ms FROM audit_use_state');
    return { sinceMs: integerOf(row ?? {}, 'since_ms'), fromMs: hour * hourMs };
  }

  /** A step of the schema before that of the counts may wait for gateways of earlier versions. */
  async #counts(): Promise<boolean> {
    const row = await this.#database.get(`SELECT to_regclass('audit_use_state') IS NOT NULL AS counts`);
    return row?.['counts'] === true;
  }
}

/** In the transaction that stored them. Rows come in the order of their key, as any others that change several. */
export async function putUses(statements: Statements, { hours, sums }: UseTally): Promise<void> {
  if (sums.length === 0) return;
  await statements.run(
    `WITH hours AS (
       INSERT INTO audit_use_hour AS held (hour, kind, policy, name, allowed, denied, failed)
       SELECT hour, kind, policy, name, allowed, denied, failed
       FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[])
         AS one (hour, kind, policy, name, allowed, denied, failed) ORDER BY kind, hour, policy, name
       ON CONFLICT (kind, hour, policy, name) DO UPDATE SET allowed = held.allowed + excluded.allowed,
         denied = held.denied + excluded.denied, failed = held.failed + excluded.failed
     )
     INSERT INTO audit_use AS held (kind, policy, name, uses, last_ms, failed_ms, failed_code, failed_trace)
     SELECT kind, policy, name, uses, last_ms, failed_ms, failed_code, failed_trace
     FROM unnest($8::text[], $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[], $14::text[], $15::text[])
       AS one (kind, policy, name, uses, last_ms, failed_ms, failed_code, failed_trace) ORDER BY kind, policy, name
     ON CONFLICT (kind, policy, name) DO UPDATE SET uses = held.uses + excluded.uses, last_ms = greatest(held.last_ms, excluded.last_ms),
       failed_ms = CASE WHEN excluded.failed_ms >= coalesce(held.failed_ms, 0) THEN excluded.failed_ms ELSE held.failed_ms END,
       failed_code = CASE WHEN excluded.failed_ms >= coalesce(held.failed_ms, 0) THEN excluded.failed_code ELSE held.failed_code END,
       failed_trace = CASE WHEN excluded.failed_ms >= coalesce(held.failed_ms, 0) THEN excluded.failed_trace ELSE held.failed_trace END`,
    [
      ...columns(hours, ['hour', 'kind', 'policy', 'name', 'allowed', 'denied', 'failed']),
      ...columns(sums, ['kind', 'policy', 'name', 'uses', 'lastMs']),
      sums.map(({ failure }) => failure?.ms ?? null),
      sums.map(({ failure }) => failure?.code ?? null),
      sums.map(({ failure }) => failure?.trace ?? null),
    ],
  );
}

function columns<Name extends string>(
  rows: readonly Readonly<Record<Name, string | number>>[],
  names: readonly Name[],
): readonly (readonly (string | number)[])[] {
  return names.map((name) => rows.map((row) => row[name]));
}
