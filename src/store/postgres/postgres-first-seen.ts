// When versions of packages were seen first, in PostgreSQL.

import {
  behindPrefix,
  countsBetween,
  dayOf,
  givenByLargest,
  largestOwners,
  type FirstSeen,
  type FirstSeenBounds,
  type FirstSeenStore,
  type SeenItem,
  type SeenPackage,
  type SeenRange,
  type SeenRows,
  usedAgainMs,
} from '../first-seen-store.ts';
import { seenRow } from '../first-seen-row.ts';
import { pruneBatch } from '../store.ts';
import { integerOf, textOf } from '../stored-row.ts';
import type { PostgresDatabase } from './postgres-database.ts';

/** The table, as a migration. `digest` is empty of what is promised nothing, `again` 1 of what was asked for on a later day too. */
export const firstSeenScript = `
  CREATE TABLE package_seen (
    source text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    item text COLLATE "C" NOT NULL,
    digest text NOT NULL,
    first_ms bigint NOT NULL,
    used_ms bigint NOT NULL,
    again integer NOT NULL,
    PRIMARY KEY (source, name, item)
  );
  CREATE INDEX package_seen_by_use ON package_seen (again, used_ms);
`;

/** As a migration. Each kind has an index of its own; `package_seen_owner` counts what each owner added on the day on which it added last. */
export const firstSeenOwnersScript = `
  DROP INDEX package_seen_by_use;
  CREATE INDEX package_seen_plain ON package_seen (again, used_ms) WHERE digest = '';
  CREATE INDEX package_seen_promised ON package_seen (again, used_ms) WHERE digest <> '';
  CREATE TABLE package_seen_owner (
    owner text COLLATE "C" NOT NULL PRIMARY KEY,
    day bigint NOT NULL,
    added bigint NOT NULL
  );
  CREATE INDEX package_seen_owner_by_day ON package_seen_owner (day);
`;

/**
 * As a migration: whose each row is. What was there before is each package's own, so that it leaves as what belongs to many.
 */
export const firstSeenRowOwnersScript = `
  ALTER TABLE package_seen ADD COLUMN principal text COLLATE "C" NOT NULL DEFAULT '';
  ALTER TABLE package_seen ADD COLUMN owner text COLLATE "C" NOT NULL DEFAULT '';
  UPDATE package_seen SET principal = 'package ' || name;
  CREATE INDEX package_seen_plain_owner ON package_seen (principal, owner, again, used_ms) WHERE digest = '';
  CREATE INDEX package_seen_promised_owner ON package_seen (principal, owner, again, used_ms) WHERE digest <> '';
`;

const within = `source >= $1 AND source < $2 AND ($3::text = '' OR name = $3)
  AND ($4::text = '' OR item = $4 OR (item >= $5 AND item < $6))`;

function valuesOf({ sources, name = '', item = '' }: SeenRange): readonly string[] {
  const below = `${item}/`;
  return [sources, behindPrefix(sources), name, item, below, behindPrefix(below)];
}

export class PostgresFirstSeen implements FirstSeenStore {
  readonly #database: PostgresDatabase;
  #untilCount = 0;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async find(
    { source, name }: SeenPackage,
    items: readonly string[],
    nowMs: number,
  ): Promise<ReadonlyMap<string, FirstSeen>> {
    const rows = await this.#database.all(
      `SELECT item, digest, first_ms, used_ms FROM package_seen
       WHERE source = $1 AND name = $2 AND item = ANY($3::text[])`,
      [source, name, items],
    );
    const again = rows
      .filter((row) => integerOf(row, 'used_ms') <= nowMs - usedAgainMs)
      .map((row) => textOf(row, 'item'));
    // Rows that others use are noted by them.
    if (again.length > 0)
      await this.#database.run(
        `UPDATE package_seen SET used_ms = $4, again = 1 WHERE (source, name, item) IN
           (SELECT source, name, item FROM package_seen
            WHERE source = $1 AND name = $2 AND item = ANY($3::text[]) FOR UPDATE SKIP LOCKED)`,
        [source, name, again, nowMs],
      );
    return new Map(
      rows.map((row) => [
        textOf(row, 'item'),
        { firstMs: integerOf(row, 'first_ms'), digest: textOf(row, 'digest') },
      ]),
    );
  }

  async see(
    of: SeenPackage,
    items: readonly SeenItem[],
    bounds: FirstSeenBounds,
  ): Promise<ReadonlyMap<string, FirstSeen>> {
    // In one order, so that of two gateways neither waits for the other's rows while it holds its own.
    const once = [...new Map(items.map((one) => [one.item, one])).values()].toSorted((a, b) =>
      a.item < b.item ? -1 : 1,
    );
    if (once.length > 0) await this.#add(of, once, bounds);
    this.#untilCount -= once.length;
    if (this.#untilCount < 0) await this.#leave(bounds);
    return await this.find(
      of,
      once.map(({ item }) => item),
      bounds.nowMs,
    );
  }

  async list(range: SeenRange, limit: number): Promise<SeenRows> {
    const values = valuesOf(range);
    const counted = await this.#database.get(
      `SELECT count(*) AS count FROM package_seen WHERE ${within}`,
      values,
    );
    const rows = await this.#database.all(
      `SELECT source, name, item, digest, first_ms FROM package_seen WHERE ${within}
       ORDER BY source, name, item LIMIT $7`,
      [...values, limit],
    );
    return { rows: rows.map(seenRow), count: counted === undefined ? 0 : integerOf(counted, 'count') };
  }

  forget(range: SeenRange, limit: number): Promise<number> {
    return this.#database.run(
      `DELETE FROM package_seen WHERE (source, name, item) IN (SELECT source, name, item FROM package_seen
         WHERE ${within} ORDER BY source, name, item LIMIT $7 FOR UPDATE)`,
      [...valuesOf(range), limit],
    );
  }

  #add(
    { source, name }: SeenPackage,
    items: readonly SeenItem[],
    { nowMs, firstMs = nowMs, owner: { principalId, sessionId }, ownerDayMax }: FirstSeenBounds,
  ): Promise<void> {
    return this.#database.transaction(async (statements) => {
      // Nobody else adds in the name of the owner until this is over.
      const [row] = await statements.all(
        `INSERT INTO package_seen_owner AS own (owner, day, added) VALUES ($1, $2, 0)
         ON CONFLICT (owner) DO UPDATE SET day = excluded.day,
           added = CASE WHEN own.day = excluded.day THEN own.added ELSE 0 END
         RETURNING added`,
        [sessionId, dayOf(nowMs)],
      );
      const left = Math.max(0, ownerDayMax - (row === undefined ? 0 : integerOf(row, 'added')));
      const known = await statements.all(
        'SELECT item FROM package_seen WHERE source = $1 AND name = $2 AND item = ANY($3::text[])',
        [source, name, items.map(({ item }) => item)],
      );
      const isKnown = new Set(known.map((one) => textOf(one, 'item')));
      const fresh = new Set(items.filter(({ item }) => !isKnown.has(item)).slice(0, left));
      const taken = items.filter((one) => isKnown.has(one.item) || fresh.has(one));
      await statements.run(
        `INSERT INTO package_seen (source, name, item, digest, first_ms, used_ms, again, principal, owner)
         SELECT $1, $2, item, digest, $5, $6, 0, $7, $8 FROM unnest($3::text[], $4::text[]) AS seen (item, digest)
         ON CONFLICT (source, name, item) DO UPDATE SET digest = excluded.digest
         WHERE package_seen.digest = '' AND excluded.digest <> ''`,
        [
          source,
          name,
          taken.map(({ item }) => item),
          taken.map(({ digest = '' }) => digest),
          firstMs,
          nowMs,
          principalId,
          sessionId,
        ],
      );
      await statements.run('UPDATE package_seen_owner SET added = added + $2 WHERE owner = $1', [
        sessionId,
        fresh.size,
      ]);
    });
  }

  async #leave({ nowMs, max, promisedMax, unusedMs }: FirstSeenBounds): Promise<void> {
    this.#untilCount = countsBetween;
    await this.#database.run(
      `DELETE FROM package_seen_owner WHERE owner IN
         (SELECT owner FROM package_seen_owner WHERE day < $1 FOR UPDATE SKIP LOCKED)`,
      [dayOf(nowMs)],
    );
    await this.#leaveOf("digest = ''", max, nowMs - unusedMs);
    await this.#leaveOf("digest <> ''", promisedMax, nowMs - unusedMs);
  }

  async #leaveOf(kind: string, max: number, unusedSinceMs: number): Promise<void> {
    const row = await this.#database.get(`SELECT count(*) AS count FROM package_seen WHERE ${kind}`);
    let over = Math.min((row === undefined ? 0 : integerOf(row, 'count')) - max, pruneBatch);
    for (const again of [0, 1])
      if (over > 0)
        over -= await this.#remove(`${kind} AND again = $2 AND used_ms <= $3`, over, [again, unusedSinceMs]);
    if (over <= 0) return;
    for (const [principal, ofPrincipal] of await this.#largest('principal', kind, over, [])) {
      const within = `${kind} AND principal = $1`;
      for (const [owner, some] of await this.#largest('owner', within, ofPrincipal, [principal]))
        await this.#remove(`${kind} AND principal = $2 AND owner = $3`, some, [principal, owner]);
    }
  }

  /** Those with the most rows, and how many each gives. */
  async #largest(
    column: 'principal' | 'owner',
    where: string,
    wanted: number,
    values: readonly string[],
  ): Promise<readonly (readonly [string, number])[]> {
    const rows = await this.#database.all(
      `SELECT ${column} AS who, count(*) AS count FROM package_seen WHERE ${where}
       GROUP BY ${column} ORDER BY count DESC, who LIMIT ${largestOwners}`,
      values,
    );
    const given = givenByLargest(
      rows.map((row) => integerOf(row, 'count')),
      wanted,
    );
    return rows.flatMap((row, i) => {
      const some = given[i] ?? 0;
      return some === 0 ? [] : [[textOf(row, 'who'), some] as const];
    });
  }

  #remove(where: string, limit: number, values: readonly (string | number)[]): Promise<number> {
    return this.#database.run(
      `DELETE FROM package_seen WHERE (source, name, item) IN (SELECT source, name, item FROM package_seen
         WHERE ${where} ORDER BY again, used_ms LIMIT $1 FOR UPDATE SKIP LOCKED)`,
      [limit, ...values],
    );
  }
}
