import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { LiveChain } from '../../../src/store/chain/live-chain.ts';
import { AuditRecordWriter } from '../../../src/store/audit-records.ts';
import { writeAudit } from '../../../src/store/sqlite/sqlite-audit-writer.ts';
import { SqliteDatabase } from '../../../src/store/sqlite/sqlite-database.ts';
import { migrate } from '../../../src/store/sqlite/sqlite-migrate.ts';
import type { AuditEntry } from '../../../src/store/store.ts';
import { batchUsed } from '../../../src/store/uses/shared-use.ts';
import { auditEntry } from '../../conformance/audit.ts';

const seed = 20_261_128;
const { privateKey: key } = generateKeyPairSync('ed25519');
const chainOf = (): LiveChain =>
  new LiveChain({
    number: 1,
    chain: 'c',
    opening: 'o',
    openedMs: 0,
    unchainedThrough: 0,
    link: 0,
    hash: new Uint8Array(32),
    sequence: 0,
    key,
  });

/** All that a batch changes. */
const tables = ['audit', 'audit_holding', 'audit_total', 'audit_use', 'audit_use_hour', 'audit_use_state'];

interface Stored {
  readonly rows: unknown;
  readonly end: unknown;
}

/** The batches one after the other, cut into those of so many events. */
async function stored(batches: readonly (readonly AuditEntry[])[], eventsMax: number): Promise<Stored> {
  using database = await SqliteDatabase.open(':memory:', 'normal');
  migrate(database);
  const chain = chainOf();
  const records = new AuditRecordWriter();
  for (const batch of batches) {
    for (let at = 0; at < batch.length; at += eventsMax) {
      const entries = batch.slice(at, at + eventsMax);
      const given = { records: records.write(entries, []), holder: '', used: batchUsed(entries) };
      assert.equal(writeAudit(database, given, chain), entries.length);
    }
  }
  const rows = tables.map((table) => database.all(`SELECT * FROM ${table} ORDER BY 1, 2`));
  // When it was made is another time in each store.
  return {
    rows: JSON.parse(
      JSON.stringify(rows, (name, value: unknown) => (name === 'since_ms' ? 0 : value)),
    ) as unknown,
    end: { ...chain.witness, sequence: chain.sequence },
  };
}

test('many rows a statement store what rows one by one do, also where some are there already', async () => {
  const entry = fc
    .record({
      id: fc.nat(300),
      session: fc.constantFrom('a', 'b', undefined),
      verdict: fc.constantFrom<AuditEntry['verdict']>('allow', 'deny', 'error'),
      rule: fc.constantFrom('one', 'two'),
    })
    .map(({ id, session, verdict, rule }) => {
      const { sessionId: _, ...rest } = auditEntry(`${id}`);
      const json = JSON.stringify({ id: `${id}`, rule });
      const of = session === undefined ? {} : { sessionId: session };
      return Object.assign(rest, { verdict, timeMs: id, json }, of);
    });
  const batch = fc.oneof(
    // All of them new, with the last ones fewer than any statement takes at once.
    fc
      .integer({ min: 1, max: 200 })
      .map((count) => Array.from({ length: count }, (_, i) => auditEntry(`${i}`))),
    fc.array(entry, { maxLength: 150, size: 'max' }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 2 }), async (batches) => {
      assert.deepEqual(await stored(batches, 512), await stored(batches, 1));
    }),
    { seed, numRuns: 5 },
  );
});

test('a batch that is refused in its middle leaves nothing, and the chain goes on', async () => {
  using database = await SqliteDatabase.open(':memory:', 'normal');
  migrate(database);
  const chain = chainOf();
  const records = new AuditRecordWriter();
  const entries = Array.from({ length: 100 }, (_, i) => auditEntry(`${i}`));
  const wrong = { ...auditEntry('wrong'), timeMs: Number.NaN };
  const write = (some: readonly AuditEntry[]): number =>
    writeAudit(database, { records: records.write(some, []), holder: '' }, chain);
  for (const at of [1, 63, 64, 99])
    assert.throws(() => write([...entries.slice(0, at), wrong, ...entries.slice(at)]), {
      code: 'store_unavailable',
      message: /time_ms/,
    });
  assert.deepEqual({ ...database.get('SELECT count(*) AS count FROM audit') }, { count: 0 });
  assert.equal(chain.link, 0);
  assert.equal(write(entries), 100);
  assert.deepEqual([chain.link, chain.sequence], [100, 100]);
});
