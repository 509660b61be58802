// Questions to the audit in PostgreSQL, by plans that are made once and know no value: each is served by an index.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPostgresStore } from '../../../src/store/postgres/postgres-store.ts';
import { searchEngine } from '../../../src/store/postgres/postgres-audit.ts';
import { auditPeriod, searchAudit, type SearchEngine } from '../../../src/store/audit-search.ts';
import { searchPlanTable } from '../../conformance/audit-plans.ts';
import { postgresBinaries, type PostgresServer, startPostgres } from '../../support/postgres-server.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;

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
          `SET plan_cache_mode = force_generic_plan; PREPARE asked AS ${sql}; ${before} EXECUTE asked(${given})`,
        );
        // One result for each statement.
        return (results as { rows: Record<string, unknown>[] }[]).at(-1)?.rows ?? [];
      };
      const plan = await run('EXPLAIN');
      plans.push(plan.map((row) => String(row['QUERY PLAN'])).join('\n'));
      return (await run('')).map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([name, value]) => [
            name,
            name === 'sequence' || name === 'time_ms' ? Number(value) : value,
          ]),
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
     SELECT 'f' || i, 1000000000 + i, 's' || i % 200, CASE WHEN i % 1000 = 0 THEN 'deny' ELSE 'allow' END,
       CASE WHEN i % 1000 = 1 THEN 'alarm' ELSE 'exchange' END, '{}', 'h' || i % 50 || '.test', 'p' || i % 20, md5(i::text)
     FROM generate_series(1, 30000) AS i`,
  );
  await server.run('VACUUM ANALYZE audit');
  const plans: string[] = [];
  const engine = planningEngine(server, plans);
  for (const { search, index } of searchPlanTable.searches) {
    plans.length = 0;
    // Among the first ones, which are events.
    await searchAudit(engine, { beforeId: 'e000999', limit: 2, lookMax: 3, ...search });
    const all = plans.join('\n');
    assert.match(all, new RegExp(`using ${index}\\b`), `${JSON.stringify(search)}\n${all}`);
    assert.doesNotMatch(all, /Seq Scan on audit\b/, JSON.stringify(search));
  }
  plans.length = 0;
  await auditPeriod(engine, { fromMs: 20_000, untilMs: 90_000, limit: 2 });
  assert.match(plans.join(), /Index Scan using audit_in_time/);
  assert.doesNotMatch(plans.join(), /Sort/);
});
