// Counts of use where a program of an earlier version stores events in the same store, and counts nothing.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { openStore } from '../../../src/store/open-store.ts';
import type { AuditEntry, Store } from '../../../src/store/store.ts';
import { useKinds } from '../../../src/store/uses/event-uses.ts';
import { usedEntry } from '../../conformance/uses.ts';
import { postgresBinaries, type PostgresServer, startPostgres } from '../../support/postgres-server.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

const entries: readonly AuditEntry[] = [
  usedEntry('1', { rule: 'read', policyName: 'main', injected: ['token', 'token', 'other'], status: 200 }),
  usedEntry('2', { rule: 'read', policyName: 'main', injected: ['token'], status: 401, traceId: 'f1' }),
  usedEntry(
    '3',
    { rule: 'default-deny', count: 7, path: '/","rule":"forged\u0000\ud800\\' },
    { verdict: 'deny' },
  ),
  usedEntry(
    '4',
    { rule: 'a\\b"c', observed: 'deny-all', traceId: 'f2' },
    { verdict: 'error', kind: 'stream' },
  ),
  usedEntry('5', { rule: 'none' }, { verdict: 'info', kind: 'session' }),
  usedEntry('6', { injected: 'none', count: -3 }, { verdict: 'unknown' }),
];

async function allUses(store: Store): Promise<unknown> {
  const found: unknown[] = [];
  for (const kind of useKinds)
    for (const one of (await store.uses.read({ kind, fromMs: 0, limit: 100 }))?.items ?? []) found.push(one);
  const hours = await store.uses.hours(0);
  return JSON.parse(JSON.stringify([found.map((one) => JSON.stringify(one)).toSorted(), hours?.hours]));
}

async function expected(): Promise<unknown> {
  await using store = await openStore('sqlite::memory:');
  await store.audit.append(entries);
  return await allUses(store);
}

test('what an earlier program stores in the file is counted, before the next batch or the next question', () =>
  withTemporaryDirectory(async (root) => {
    const path = join(root, 'state', 'state.db');
    await using store = await openStore(`sqlite:${path}`);
    const insert = (entry: AuditEntry): void => {
      using other = new DatabaseSync(path);
      const sql = `INSERT INTO audit (id, time_ms, session_id, verdict, kind, event, counted) VALUES (?, ?, NULL, ?, ?, ?, 1)`;
      other.prepare(sql).run(entry.id, entry.timeMs, entry.verdict, entry.kind, entry.json);
    };
    const [first, second, third, ...rest] = entries;
    await store.audit.append([first!]);
    insert(second!);
    insert(third!);
    await store.audit.append(rest.slice(0, -1));
    insert(rest.at(-1)!);
    const whole = await expected();
    assert.deepEqual(await allUses(store), whole);
    // Once.
    await store.audit.append(entries);
    assert.deepEqual(await allUses(store), whole);
  }));

test('more than one batch of them is counted in steps, and what comes meanwhile too', () =>
  withTemporaryDirectory(async (root) => {
    const path = join(root, 'state', 'state.db');
    await using store = await openStore(`sqlite:${path}`);
    {
      using other = new DatabaseSync(path);
      other.exec('BEGIN');
      const add = other.prepare(
        `INSERT INTO audit (id, time_ms, session_id, verdict, kind, event, counted) VALUES (?, ?, NULL, 'allow', 'exchange', ?, 1)`,
      );
      for (let n = 0; n < 2500; n += 1) {
        const { timeMs, json } = usedEntry(`old ${n}`, { rule: 'read' });
        add.run(`old ${n}`, timeMs, json);
      }
      other.exec('COMMIT');
    }
    await store.audit.append([usedEntry('new', { rule: 'read' })]);
    const [read] = (await store.uses.read({ kind: 'rule', fromMs: 0, limit: 10 }))?.items ?? [];
    assert.equal(read?.uses, 2501);
  }));

const binaries = postgresBinaries();

describe('in PostgreSQL', { skip: 'missing' in binaries ? binaries.missing : false }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres({});
    await server.run('CREATE DATABASE uses');
    await server.run('CREATE DATABASE races');
  });
  after(() => server[Symbol.asyncDispose]());

  test('a trigger counts for a program of an earlier version what this one would, and nothing twice', async () => {
    await using store = await openStore(server.url('uses'));
    const [first, ...rest] = entries;
    await store.audit.append([first!]);
    const values = rest.map(
      ({ id, timeMs, verdict, kind, json }) =>
        `('${id}', ${timeMs}, NULL, '${verdict}', '${kind}', '${json.replaceAll("'", "''")}')`,
    );
    await server.run(
      `INSERT INTO audit (id, time_ms, session_id, verdict, kind, event) VALUES ${values.join(', ')}`,
      'uses',
    );
    const whole = await expected();
    assert.deepEqual(await allUses(store), whole);
    await store.audit.append(entries);
    assert.deepEqual(await allUses(store), whole);
  });

  test('gateways that store at the same moment lose no count', async () => {
    await using one = await openStore(server.url('races'));
    await using other = await openStore(server.url('races'));
    await Promise.all(
      [one, other].flatMap((store, at) =>
        Array.from({ length: 20 }, (_, batch) =>
          store.audit.append([0, 1, 2].map((n) => usedEntry(`${at}-${batch}-${n}`, { rule: 'read' }))),
        ),
      ),
    );
    const [read] = (await one.uses.read({ kind: 'rule', fromMs: 0, limit: 10 }))?.items ?? [];
    assert.equal(read?.uses, 120);
  });

  test('a store that waits for gateways of an earlier version takes events and says that it counts nothing', async () => {
    await server.run('CREATE DATABASE waits');
    await using store = await openStore(server.url('waits'));
    await server.run(
      `DROP TRIGGER audit_used ON audit; DROP FUNCTION count_stored_uses(); DROP FUNCTION audit_uses_of(text, text, text);
       DROP TABLE audit_use, audit_use_hour, audit_use_state`,
      'waits',
    );
    await store.audit.append(entries);
    assert.equal(await store.uses.read({ kind: 'rule', fromMs: 0, limit: 1 }), undefined);
    assert.equal(await store.uses.hours(0), undefined);
    assert.equal(await store.uses.prune(Date.now()), 0);
  });
});
