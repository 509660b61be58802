// Questions to the audit: which of them an index serves, so that they cost what they give.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SqliteAudit } from '../../../src/store/sqlite/sqlite-audit.ts';
import { SqliteDatabase } from '../../../src/store/sqlite/sqlite-database.ts';
import { migrate } from '../../../src/store/sqlite/sqlite-migrate.ts';
import { searchPlanTable } from '../../conformance/audit-plans.ts';

interface Watched extends Disposable {
  readonly audit: SqliteAudit;
  /** Of the statements since it was emptied. */
  readonly plans: string[];
}

async function watchedAudit(): Promise<Watched> {
  const database = await SqliteDatabase.open(':memory:', 'normal');
  migrate(database);
  const plans: string[] = [];
  const watched = new Proxy(database, {
    get: (target, name: keyof SqliteDatabase) => {
      const method = target[name] as (...args: unknown[]) => unknown;
      return (...args: unknown[]): unknown => {
        if (name === 'all' || name === 'get' || name === 'run') {
          const [sql, parameters] = args as Parameters<SqliteDatabase['all']>;
          const steps = database.all(`EXPLAIN QUERY PLAN ${sql}`, parameters);
          plans.push(steps.map(({ detail }) => String(detail)).join('; '));
        }
        return method.apply(target, args);
      };
    },
  });
  return { audit: new SqliteAudit(watched), plans, [Symbol.dispose]: () => database.close() };
}

test('a follower, and whoever reads the newest, reads by an index in the order of storing', async () => {
  using watched = await watchedAudit();
  const { audit, plans } = watched;
  for (const { query, index } of searchPlanTable.queries) {
    plans.length = 0;
    await audit.query({ ...query, limit: 10 });
    const name = index === 'audit_pkey' ? 'INTEGER PRIMARY KEY' : `INDEX ${index}`;
    assert.match(plans.at(-1) ?? '', new RegExp(`^SEARCH audit USING ${name} `));
    // Sorting, by whatever name, would read all that fits before the first is given.
    assert.doesNotMatch(plans.join('\n'), /TEMP B-TREE|SCAN/);
  }
});

test('every statement of a search is served by an index, and none sorts what it has not bounded', async () => {
  using watched = await watchedAudit();
  const { audit, plans } = watched;
  await audit.append(searchPlanTable.entries);
  for (const { search, index } of searchPlanTable.searches) {
    plans.length = 0;
    await audit.search({ limit: 2, lookMax: 3, ...search });
    const all = plans.join('\n');
    assert.match(
      all,
      new RegExp(`USING (?:COVERING )?INDEX ${index}\\b`),
      `${JSON.stringify(search)}\n${all}`,
    );
    for (const plan of plans) {
      assert.doesNotMatch(plan, /SCAN audit/);
      // The places that were found are sorted, which are no more than one call looks at.
      if (plan.includes('TEMP B-TREE')) assert.match(plan, /LIST SUBQUERY|json_each|wanted/);
    }
  }
  plans.length = 0;
  await audit.period({ fromMs: 5, untilMs: 9, limit: 2 });
  assert.match(plans.join(), /^SEARCH audit USING INDEX audit_by_time \(time_ms>\? AND time_ms<\?\)$/);
});

test('a batch is stored without reading what was stored before', async () => {
  using watched = await watchedAudit();
  const { audit, plans } = watched;
  const [first, ...others] = searchPlanTable.entries;
  assert.ok(first !== undefined);
  await audit.append([first]);
  plans.length = 0;
  await audit.append(others, [{ ...first, id: 'begun' }]);
  const steps = plans.flatMap((plan) => plan.split('; '));
  assert.ok(steps.some((step) => step.startsWith('SEARCH audit ')));
  assert.deepEqual(
    steps.filter((step) => /^SCAN audit(?: |$)|TEMP B-TREE/.test(step)),
    [],
  );
});

test('no trigger runs for an event that is stored: SQLite would keep a copy of each page for it', async () => {
  using database = await SqliteDatabase.open(':memory:', 'normal');
  migrate(database);
  const triggers = database.all(
    "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'audit'",
  );
  assert.deepEqual(
    triggers.map(({ name }) => name),
    ['audit_removed'],
  );
});
