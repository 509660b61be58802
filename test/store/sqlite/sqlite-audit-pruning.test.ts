// The sums by which the audit is pruned: the same whether triggers or the migration made them, and read without a look at the rest.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auditHeld, pruneAudit } from '../../../src/store/sqlite/sqlite-audit-pruning.ts';
import { AuditRecordWriter } from '../../../src/store/audit-records.ts';
import { writeAudit } from '../../../src/store/sqlite/sqlite-audit-writer.ts';
import { SqliteDatabase } from '../../../src/store/sqlite/sqlite-database.ts';
import { migrate } from '../../../src/store/sqlite/sqlite-migrate.ts';
import { migrations } from '../../../src/store/sqlite/sqlite-schema.ts';
import type { AuditEntry } from '../../../src/store/store.ts';
import { auditEntry } from '../../conformance/audit.ts';

/** Of a session with many, of one with few, and of nobody, mixed. */
const entries: readonly AuditEntry[] = Array.from({ length: 4500 }, (_, i) => {
  const id = `${i}-${'ä'.repeat(i % 7)}`;
  if (i % 3 === 0) return auditEntry(id, { verdict: i % 30 === 0 ? 'info' : 'deny' });
  return auditEntry(id, { sessionId: i % 4 === 0 ? 'few' : 'many' });
});

async function openAt(version: number): Promise<SqliteDatabase> {
  const database = await SqliteDatabase.open(':memory:', 'normal');
  migrate(database, migrations.slice(0, version));
  return database;
}

function write(database: SqliteDatabase, some: readonly AuditEntry[]): void {
  writeAudit(database, { records: new AuditRecordWriter().write(some, []), holder: '' });
}

/** As the programs of schema version 7 and those before it do. */
function writeAsBefore(database: SqliteDatabase, some: readonly AuditEntry[]): void {
  for (const { id, timeMs, sessionId = null, verdict, kind, json } of some) {
    database.run(
      `INSERT INTO audit (id, time_ms, session_id, verdict, kind, event)
       VALUES (:id, :timeMs, :sessionId, :verdict, :kind, :json) ON CONFLICT (id) DO NOTHING`,
      { id, timeMs, sessionId, verdict, kind, json },
    );
  }
}

const sums = (database: SqliteDatabase): unknown => ({
  holdings: database.all('SELECT * FROM audit_holding ORDER BY holder').map((row) => Object.assign({}, row)),
  total: { ...auditHeld(database) },
});

test('the migration sums up what an earlier program stored as the triggers do', async () => {
  const [earlier, fresh] = [await openAt(5), await openAt(migrations.length)];
  writeAsBefore(earlier, entries);
  write(fresh, entries);
  migrate(earlier);
  assert.deepEqual(sums(earlier), sums(fresh));
  for (const database of [earlier, fresh]) {
    pruneAudit(database, { keepEvents: 3700, batch: 10_000 });
    write(database, entries.slice(0, 600));
  }
  assert.deepEqual(sums(earlier), sums(fresh));
  const { holdings } = sums(fresh) as { readonly holdings: readonly Record<string, unknown>[] };
  assert.deepEqual(
    holdings.map(({ holder }) => holder),
    [':deny', ':info', 'few', 'many'],
  );
  for (const database of [earlier, fresh]) database.close();
});

test('batches keep the sums that the triggers of earlier schemas did', async () => {
  const [triggers, batches] = [await openAt(7), await openAt(migrations.length)];
  for (let at = 0, turn = 0; at < entries.length; at += 137, turn += 1) {
    // Each batch has some of the one before again, and some twice.
    const batch = entries.slice(Math.max(0, at - 20), at + 137);
    const twice = [...batch, ...batch.slice(-3)];
    writeAsBefore(triggers, twice);
    write(batches, twice);
    if (turn % 9 === 8)
      for (const database of [triggers, batches]) pruneAudit(database, { keepEvents: at - 300, batch: 400 });
    assert.deepEqual(sums(batches), sums(triggers));
  }
  const { holdings } = sums(triggers) as { readonly holdings: readonly Record<string, unknown>[] };
  assert.ok(holdings.some(({ later_events }) => Number(later_events) > 0));
  for (const database of [triggers, batches]) database.close();
});

test('the sums are those of the rows after every batch of any prune', async () => {
  const database = await openAt(migrations.length);
  write(database, entries);
  const counted = `SELECT count(*) AS events, sum(octet_length(event)) AS bytes FROM audit`;
  for (const bounds of [
    { keepEvents: 4200 },
    { keepBytes: 300_000 },
    { beforeMs: 2000 },
    { keepEvents: 10 },
  ]) {
    while (pruneAudit(database, { ...bounds, batch: 170 }) > 0) {
      const { events, bytes } = auditHeld(database);
      assert.deepEqual({ ...database.get(counted) }, { events, bytes: events === 0 ? null : bytes });
    }
  }
  database.close();
});

test('each statement of a prune finds what it removes by an index, so it costs what it removes', async () => {
  const database = await openAt(migrations.length);
  write(database, entries);
  const statements = new Map<string, Parameters<SqliteDatabase['run']>[1]>();
  const watched = new Proxy(database, {
    get: (target, name: keyof SqliteDatabase) => {
      const method = target[name] as (...args: unknown[]) => unknown;
      return (...args: unknown[]): unknown => {
        // The first argument of what reads or writes is a statement, the second its parameters.
        if (typeof args[0] === 'string')
          statements.set(args[0], args[1] as Parameters<SqliteDatabase['run']>[1]);
        return method.apply(target, args);
      };
    },
  });
  // By age, from a session, from those without one, and from the first ones.
  for (const keepEvents of [4300, 3400, 0])
    while (pruneAudit(watched, { keepEvents, beforeMs: 1, batch: 100 }) > 0);
  assert.equal(statements.size, 6);
  for (const [sql, parameters] of statements) {
    const plan = database.all(`EXPLAIN QUERY PLAN ${sql}`, parameters).map(({ detail }) => String(detail));
    for (const step of plan) {
      // A scan in the order of the key ends at the LIMIT; the total is one row.
      assert.match(
        step,
        /^SEARCH |^LIST SUBQUERY|^SCAN audit_total$|^SCAN audit_holding USING INDEX audit_holding_later$|^SCAN audit$/,
        `${sql}: ${plan.join('; ')}`,
      );
      if (step === 'SCAN audit') assert.match(sql, /SELECT sequence FROM audit ORDER BY sequence LIMIT/);
    }
  }
  database.close();
});
