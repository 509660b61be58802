// When versions of packages were seen first, in SQLite.

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
import type { SqliteDatabase } from './sqlite-database.ts';

/** The table, as a migration. `digest` is empty of what is promised nothing, `again` 1 of what was asked for on a later day too. */
export const firstSeenScript = `
  CREATE TABLE package_seen (
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    item TEXT NOT NULL,
    digest TEXT NOT NULL,
    first_ms INTEGER NOT NULL,
    used_ms INTEGER NOT NULL,
    again INTEGER NOT NULL,
    PRIMARY KEY (source, name, item)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX package_seen_by_use ON package_seen (again, used_ms);
`;

/** As a migration. Each kind has an index of its own; `package_seen_owner` counts what each owner added on the day on which it added last. */
export const firstSeenOwnersScript = `
  DROP INDEX package_seen_by_use;
  CREATE INDEX package_seen_plain ON package_seen (again, used_ms) WHERE digest = '';
  CREATE INDEX package_seen_promised ON package_seen (again, used_ms) WHERE digest <> '';
  CREATE TABLE package_seen_owner (
    owner TEXT NOT NULL PRIMARY KEY,
    day INTEGER NOT NULL,
    added INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX package_seen_owner_by_day ON package_seen_owner (day);
`;

/**
 * As a migration: whose each row is. What was there before is each package's own, so that it leaves as what belongs to many.
 */
export const firstSeenRowOwnersScript = `
  ALTER TABLE package_seen ADD COLUMN principal TEXT NOT NULL DEFAULT '';
  ALTER TABLE package_seen ADD COLUMN owner TEXT NOT NULL DEFAULT '';
  UPDATE package_seen SET principal = 'package ' || name;
  CREATE INDEX package_seen_plain_owner ON package_seen (principal, owner, again, used_ms) WHERE digest = '';
  CREATE INDEX package_seen_promised_owner ON package_seen (principal, owner, again, used_ms) WHERE digest <> '';
`;

const within = `source >= :from AND source < :to AND (:name = '' OR name = :name)
  AND (:item = '' OR item = :item OR (item >= :below AND item < :behind))`;

function valuesOf({ sources, name = '', item = '' }: SeenRange): Readonly<Record<string, string>> {
  const below = `${item}/`;
  return { from: sources, to: behindPrefix(sources), name, item, below, behind: behindPrefix(below) };
}

export class SqliteFirstSeen implements FirstSeenStore {
  readonly #database: SqliteDatabase;
  #untilCount = 0;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async find(
    of: SeenPackage,
    items: readonly string[],
    nowMs: number,
  ): Promise<ReadonlyMap<string, FirstSeen>> {
    return this.#database.transaction(() => this.#find(of, items, nowMs));
  }

  async see(
    of: SeenPackage,
    items: readonly SeenItem[],
    bounds: FirstSeenBounds,
  ): Promise<ReadonlyMap<string, FirstSeen>> {
    const { nowMs, firstMs = nowMs, owner, ownerDayMax } = bounds;
    return this.#database.transaction(() => {
      const day = dayOf(nowMs);
      const { sessionId } = owner;
      const before = this.#added(sessionId, day);
      let added = before;
      for (const { item, digest = '' } of items) {
        const known = this.#digestOf(of, item);
        if (known === undefined) {
          if (added >= ownerDayMax) continue;
          added += 1;
          this.#database.run(
            `INSERT INTO package_seen (source, name, item, digest, first_ms, used_ms, again, principal, owner)
             VALUES (:source, :name, :item, :digest, :firstMs, :nowMs, 0, :principalId, :sessionId)`,
            { ...of, item, digest, firstMs, nowMs, ...owner },
          );
        } else if (known === '' && digest !== '')
          this.#database.run(
            'UPDATE package_seen SET digest = :digest WHERE source = :source AND name = :name AND item = :item',
            { ...of, item, digest },
          );
      }
      if (added > before)
        this.#database.run(
          `INSERT INTO package_seen_owner (owner, day, added) VALUES (:owner, :day, :added)
           ON CONFLICT (owner) DO UPDATE SET day = excluded.day, added = excluded.added`,
          { owner: sessionId, day, added },
        );
      const found = this.#find(
        of,
        items.map(({ item }) => item),
        nowMs,
      );
      this.#untilCount -= items.length;
      if (this.#untilCount < 0) this.#leave(bounds);
      return found;
    });
  }

  async list(range: SeenRange, limit: number): Promise<SeenRows> {
    const values = valuesOf(range);
    return this.#database.transaction(() => {
      const counted = this.#database.get(
        `SELECT count(*) AS count FROM package_seen WHERE ${within}`,
        values,
      );
      const rows = this.#database.all(
        `SELECT source, name, item, digest, first_ms FROM package_seen WHERE ${within}
         ORDER BY source, name, item LIMIT :limit`,
        { ...values, limit },
      );
      return { rows: rows.map(seenRow), count: counted === undefined ? 0 : integerOf(counted, 'count') };
    });
  }

  async forget(range: SeenRange, limit: number): Promise<number> {
    return this.#database.run(
      `DELETE FROM package_seen WHERE (source, name, item) IN
         (SELECT source, name, item FROM package_seen WHERE ${within} ORDER BY source, name, item LIMIT :limit)`,
      { ...valuesOf(range), limit },
    );
  }

  #added(owner: string, day: number): number {
    const row = this.#database.get(
      'SELECT added FROM package_seen_owner WHERE owner = :owner AND day = :day',
      { owner, day },
    );
    return row === undefined ? 0 : integerOf(row, 'added');
  }

  #digestOf(of: SeenPackage, item: string): string | undefined {
    const row = this.#database.get(
      'SELECT digest FROM package_seen WHERE source = :source AND name = :name AND item = :item',
      { ...of, item },
    );
    return row === undefined ? undefined : textOf(row, 'digest');
  }

  #find(of: SeenPackage, items: readonly string[], nowMs: number): ReadonlyMap<string, FirstSeen> {
    const found = new Map<string, FirstSeen>();
    const beforeMs = nowMs - usedAgainMs;
    for (const item of items) {
      const row = this.#database.get(
        'SELECT digest, first_ms, used_ms FROM package_seen WHERE source = :source AND name = :name AND item = :item',
        { ...of, item },
      );
      if (row === undefined) continue;
      found.set(item, { firstMs: integerOf(row, 'first_ms'), digest: textOf(row, 'digest') });
      if (integerOf(row, 'used_ms') <= beforeMs)
        this.#database.run(
          `UPDATE package_seen SET used_ms = :nowMs, again = 1
           WHERE source = :source AND name = :name AND item = :item`,
          { ...of, item, nowMs },
        );
    }
    return found;
  }

  #leave({ nowMs, max, promisedMax, unusedMs }: FirstSeenBounds): void {
    this.#untilCount = countsBetween;
    this.#database.run('DELETE FROM package_seen_owner WHERE day < :day', { day: dayOf(nowMs) });
    this.#leaveOf("digest = ''", max, nowMs - unusedMs);
    this.#leaveOf("digest <> ''", promisedMax, nowMs - unusedMs);
  }

  #leaveOf(kind: string, max: number, unusedSinceMs: number): void {
    const row = this.#database.get(`SELECT count(*) AS count FROM package_seen WHERE ${kind}`);
    let over = Math.min((row === undefined ? 0 : integerOf(row, 'count')) - max, pruneBatch);
    for (const again of [0, 1])
      if (over > 0)
        over -= this.#remove(`${kind} AND again = :again AND used_ms <= :unusedSinceMs`, over, {
          again,
          unusedSinceMs,
        });
    if (over <= 0) return;
    for (const [principal, ofPrincipal] of this.#largest('principal', kind, over, {}))
      for (const [owner, some] of this.#largest('owner', `${kind} AND principal = :principal`, ofPrincipal, {
        principal,
      }))
        this.#remove(`${kind} AND principal = :principal AND owner = :owner`, some, { principal, owner });
  }

  /** Those with the most rows, and how many each gives. */
  #largest(
    column: 'principal' | 'owner',
    where: string,
    wanted: number,
    values: Readonly<Record<string, string>>,
  ): readonly (readonly [string, number])[] {
    const rows = this.#database.all(
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

  #remove(where: string, limit: number, values: Readonly<Record<string, string | number>>): number {
    return this.#database.run(
      `DELETE FROM package_seen WHERE (source, name, item) IN
         (SELECT source, name, item FROM package_seen WHERE ${where} ORDER BY again, used_ms LIMIT :limit)`,
      { ...values, limit },
    );
  }
}
