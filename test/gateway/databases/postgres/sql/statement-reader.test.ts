import assert from 'node:assert/strict';
import { test } from 'node:test';

import { StatementReader } from '../../../../../src/gateway/databases/postgres/sql/statement-reader.ts';
import { defaultLimits } from '../../../../../src/protocol/limits.ts';
import { patienceMs } from '../../../../support/patience.ts';

const text = (sql: string): Buffer => Buffer.from(sql);

test('sessions take turns, whoever has more', { timeout: patienceMs }, async (t) => {
  const reader = new StatementReader({ ...defaultLimits, databaseStatementTimeoutMs: patienceMs });
  t.after(() => reader.close());
  const order: string[] = [];
  const read = async (session: string): Promise<void> => {
    const reading = await reader.read(session, text('SELECT 1'));
    assert.equal(reading.kind, 'read');
    order.push(session);
  };
  await Promise.all([read('many'), read('many'), read('many'), read('few')]);
  assert.ok(order.indexOf('few') < 3, order.join(' '));
});

test(
  'what takes too long is given up with its thread, and the next one is read',
  { timeout: patienceMs },
  async (t) => {
    const limits = { ...defaultLimits };
    const reader = new StatementReader(limits);
    t.after(() => reader.close());
    limits.databaseStatementTimeoutMs = 1;
    const long = `SELECT a FROM t WHERE a IN (${'1,'.repeat(60_000)}1)`;
    const reading = await reader.read('one', text(long));
    assert.ok(reading.kind === 'unreadable');
    assert.match(reading.reason, /databaseStatementTimeoutMs/);
    limits.databaseStatementTimeoutMs = patienceMs;
    assert.equal((await reader.read('one', text('SELECT 1'))).kind, 'read');
  },
);

test('what waits when it closes is told so, and so is who comes later', async () => {
  const reader = new StatementReader(defaultLimits);
  const waiting = ['one', 'two'].map((session) => reader.read(session, text('SELECT 1')));
  reader.close();
  for (const one of [...waiting, reader.read('three', text('SELECT 1'))])
    assert.equal((await one).kind, 'unreadable');
});
