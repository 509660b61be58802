// Questions to the audit in PostgreSQL, by plans that are made once and know no value: each is served by an index.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPostgresStore } from '../../../src/store/postgres/postgres-store.ts';
import { PostgresChain } from '../../../src/store/postgres/postgres-chain.ts';
import { pruneAudit } from '../../../src/store/postgres/postgres-audit-pruning.ts';
import { searchEngine } from '../../../src/store/postgres/postgres-audit.ts';
import { auditPeriod, queryAudit, searchAudit } from '../../../src/store/audit-search.ts';
import type { SearchEngine } from '../../../src/store/audit-engine.ts';
import { searchPlanTable } from '../../conformance/audit-plans.ts';
import { postgresBinaries, type PostgresServer, startPostgres } from '../../support/postgres-server.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;

/** The client gives whole numbers as texts where it is not told otherwise. */
const numbers = new Set([
  'sequence',
  'time_ms',
  'events',
  'bytes',
  'first_through',
  'day',
  'looked',
  'last',
  'recent_from',
  'recent_to',
]);

type Values = Parameters<SearchEngine['all']>[1];

function literal(value: Values[number]): string {
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return `'${value}'`;
  return `ARRAY[${value.map(literal).join(', ')}]`;
}

/** Runs statements as the store does, prepared once for all values, and keeps their plans. */
function planningEngine(server: PostgresServer, plans: string[]): SearchEngine {
  return searchEngine({
    all: async (sql, values = []) => {
      // The values of a search are texts, numbers and lists of them.
      const given = (values as Values).map(literal).join(', ');
      const run = async (before: string): Promise<readonly Record<string, unknown>[]> => {
        const results: unknown = await server.run(
          `SET plan_cache_mode = force_generic_plan; PREPARE asked AS ${sql}; ${before} EXECUTE asked${given === '' ? '' : `(${given})`}`,
        );
        // One result for each statement.
        return (results as { rows: Record<string, unknown>[] }[]).at(-1)?.rows ?? [];
      };
      const plan = await run('EXPLAIN');
      plans.push(plan.map((row) => String(row['QUERY PLAN'])).join('\n'));
      return (await run('')).map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([name, value]) => [name, numbers.has(name) ? Number(value) : value]),
        ),
      );
    },
  });
}

test('every statement of a search is served by an index, whatever its values are', { skip }, async () => {
  await using server = await startPostgres();
  {
    await using store = await openPostgresStore(server.url('postgres'), {});
    await store.audit.append(searchPlanTable.entries);
  }
  // As many as make a plan that reads all of them cost more.
  await server.run(
    `INSERT INTO audit (id, time_ms, session_id, verdict, kind, event, host, principal, trace)
     SELECT 'f' || i, 1000000000 + i, CASE WHEN i % 10 > 0 THEN 's' || i % 20 END, CASE WHEN i % 20 = 3 THEN 'deny' ELSE 'allow' END,
       CASE WHEN i % 20 = 1 THEN 'alarm' ELSE 'exchange' END, '{}', 'h' || i % 50 || '.test', 'p' || i % 20, md5(i::text)
     FROM generate_series(1, 30000) AS i`,
  );
  await server.run('VACUUM ANALYZE audit');
  // The part that has them: those of other days are empty, and read as a whole.
  const [{ part }] = (await server.run('SELECT tableoid::regclass::text AS part FROM audit LIMIT 1')).rows;
  const wholeRead = new RegExp(`Seq Scan on (?:audit|${part})\\b`);
  const plans: string[] = [];
  const engine = planningEngine(server, plans);
  for (const { search, index } of searchPlanTable.searches) {
    plans.length = 0;
    // Among the first ones, which are events.
    await searchAudit(engine, { beforeId: 'e000999', limit: 2, lookMax: 3, ...search });
    const all = plans.join('\n');
    assert.match(all, new RegExp(`using ${index}(?:_[0-9_]+)?\\b`), `${JSON.stringify(search)}\n${all}`);
    assert.doesNotMatch(all, wholeRead, `${JSON.stringify(search)}\n${all}`);
  }
  for (const { query, index } of searchPlanTable.queries) {
    plans.length = 0;
    await queryAudit(engine, { beforeId: 'e000999', limit: 2, ...query });
    assert.match(plans.at(-1) ?? '', new RegExp(`using ${index}(?:_[0-9_]+)?\\b`), JSON.stringify(query));
    assert.doesNotMatch(plans.at(-1) ?? '', /\bSort  \(/, JSON.stringify(query));
    assert.doesNotMatch(plans.join('\n'), wholeRead, JSON.stringify(query));
  }
  plans.length = 0;
  await auditPeriod(engine, { fromMs: 20_000, untilMs: 90_000, limit: 2 });
  assert.match(plans.join(), /Index Scan using audit_in_time/);
  assert.doesNotMatch(plans.join(), /\bSort  \(/);
  // Retention too: what it removes, it finds without looking at what stays.
  const run = async (sql: string, values: Values = []): Promise<number> => {
    await engine.all(sql, values);
    return 1;
  };
  const read = {
    all: engine.all,
    get: async (sql: string, values: Values = []) => (await engine.all(sql, values))[0],
  };
  const database = {
    ...read,
    run,
    transaction: (body: (statements: unknown) => Promise<number>) => body(database),
  };
  const ofSessions = `UPDATE audit_holding SET later_bytes = 0 WHERE holder LIKE ':%'`;
  for (const [bounds, index, before] of [
    [{ beforeMs: 40_000 }, 'audit_in_time', 'SELECT 1'],
    [{ keepEvents: 100 }, 'audit_of_no_session', 'SELECT 1'],
    [{ keepEvents: 100 }, 'audit_by_session', ofSessions],
  ] as const) {
    await server.run(before);
    plans.length = 0;
    // It has what pruning asks of a database.
    await pruneAudit(
      database as never,
      { ...bounds, batch: 2 },
      { chain: new PostgresChain(database as never) },
    );
    // Found by one statement, removed by the next: that one looks into the part that they are in, and no other.
    assert.match(plans.join('\n'), new RegExp(`using ${index}(?:_[0-9_]+)?\\b`));
    const removals = plans.filter((plan) => plan.includes('Delete on audit '));
    assert.ok(removals.length > 0);
    for (const plan of removals) assert.equal(plan.match(/Scan using/g)?.length, 1, plan);
    assert.doesNotMatch(plans.join('\n').replaceAll(/^.*audit_holding.*$/gm, ''), wholeRead);
  }
});
