// Questions to the audit: which of them an index serves, so that they cost what they give.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SqliteAudit } from '../../../src/store/sqlite/sqlite-audit.ts';
import { SqliteDatabase } from '../../../src/store/sqlite/sqlite-database.ts';
import { migrate } from '../../../src/store/sqlite/sqlite-migrate.ts';
import type { AuditQuery } from '../../../src/store/store.ts';

test('sessions, and verdicts other than allow, are found by an index in the order of storing', async () => {
  const database = await SqliteDatabase.open(':memory:', 'normal');
  migrate(database);
  const plans: string[] = [];
  const watched = new Proxy(database, {
    get: (target, name: keyof SqliteDatabase) => {
      const method = target[name] as (...args: unknown[]) => unknown;
      return (...args: unknown[]): unknown => {
        if (name === 'all') {
          const [sql, parameters] = args as Parameters<SqliteDatabase['all']>;
          const steps = database.all(`EXPLAIN QUERY PLAN ${sql}`, parameters);
          plans.push(steps.map(({ detail }) => String(detail)).join('; '));
        }
        return method.apply(target, args);
      };
    },
  });
  const audit = new SqliteAudit(watched);
  const questions: readonly [Partial<AuditQuery>, RegExp][] = [
    [{ sessionId: 'one' }, /^SEARCH audit USING INDEX audit_by_session/],
    [{ verdict: 'deny' }, /^SEARCH audit USING INDEX audit_not_allowed/],
    [{ verdict: 'error', order: 'newest' }, /^SEARCH audit USING INDEX audit_not_allowed/],
    [{}, /^SCAN audit$/],
  ];
  for (const [question, expected] of questions) {
    plans.length = 0;
    await audit.query({ ...question, limit: 10 });
    assert.equal(plans.length, 1);
    // Sorting, by whatever name, would read all that fits before the first is given.
    assert.match(plans[0] ?? '', expected);
    assert.doesNotMatch(plans[0] ?? '', /TEMP B-TREE/);
  }
  database.close();
});
