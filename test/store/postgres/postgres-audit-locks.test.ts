// A server with room for few locks, and an audit of more days than fit into them at once: what goes on all the same, and what is told.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { backUpStore, restoreStore } from '../../../src/store/backup-store.ts';
import type { RowProgress } from '../../../src/store/portable/row-progress.ts';
import type { PeriodPage } from '../../../src/store/audit-search.ts';
import { verifyChain } from '../../../src/store/chain/verify-chain.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { dayMs, placesOfDay } from '../../../src/store/postgres/postgres-audit-days-schema.ts';
import { auditEntry } from '../../conformance/audit.ts';
import { chainSigner, storeChained } from '../../conformance/chain.ts';
import { postgresBinaries, startPostgres } from '../../support/postgres-server.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;
const daysMade = 420;
const daysRestored = 200;

test(
  'storing, retention, searches and the chain go on with more days than a server has locks for',
  { skip },
  async () => {
    await using server = await startPostgres({
      settings: ['max_locks_per_transaction=10', 'max_connections=100'],
    });
    await using store = await openStore(server.url('postgres'));
    const { rows } = await server.run('SELECT day FROM audit_day ORDER BY day OFFSET 1 LIMIT 1');
    const today = Number(rows[0].day);
    const signer = chainSigner();
    await store.audit.chain.begin(signer);
    // What the first day of all has, before those in between are there.
    await server.run(`SELECT audit_make_day(${today - daysMade})`);
    const later = (await server.run(`DELETE FROM audit_day WHERE day > ${today - daysMade} RETURNING day`))
      .rows;
    await storeChained(store, 0, 20, (today - daysMade) * dayMs);
    for (const { day } of later) await server.run(`INSERT INTO audit_day VALUES (${day}, 0)`);
    for (let from = today - daysMade + 1; from < today; from += 40)
      await server.run(
        `SELECT audit_make_day(day) FROM generate_series(${from}, ${Math.min(from + 39, today - 1)}) AS day`,
      );
    await server.run('UPDATE audit_day SET made_ms = day * 86400000');
    // All at once do not fit: else this would be no test.
    await assert.rejects(server.run('SELECT max(sequence) FROM audit'), /out of shared memory/);

    const now = auditEntry('now', { timeMs: today * dayMs, sessionId: 's' });
    await store.audit.append([now]);
    for (let times = 0; times < 7; times += 1) await store.audit.append([now]);
    await store.audit.append([now, auditEntry('late', { timeMs: (today - 3) * dayMs })]);
    assert.equal((await store.audit.held()).events, 22);
    assert.deepEqual(
      (await store.audit.search({ sessionId: 's', limit: 9, lookMax: 99 })).events.map(({ id }) => id),
      ['now'],
    );
    assert.equal((await store.audit.query({ limit: 99 })).length, 22);
    assert.deepEqual(await periodOf(store, 5), await periodOf(store, 99));
    assert.equal((await periodOf(store, 99)).length, 22);
    assert.equal((await periodOf(store, 2, (today - 3) * dayMs)).join(), 'late,now');
    await using directory = await temporaryDirectory();
    const backUp = (name: string): ReturnType<typeof backUpStore> =>
      backUpStore({ store: server.url('postgres'), file: join(directory.path, name), nowMs: 8000 });
    assert.equal((await backUp('whole')).get('audit')?.rows, 22);
    // One that retention takes away before its turn leaves its row in what the backup sees.
    await server.run(`INSERT INTO audit_day VALUES (${today - daysMade - 1}, 0)`);
    await assert.rejects(backUp('cut'), /A day of the audit was removed/);
    await server.run(`DELETE FROM audit_day WHERE day = ${today - daysMade - 1}`);
    await using other = await openStore(server.url('postgres'));
    await other.audit.chain.begin(signer);
    await storeChained(other, 100, 5, today * dayMs);
    for (const one of [store, other]) await one.audit.chain.signHead();
    const before = await verifyChain(store.audit.chain, signer.publicKeys, {});
    assert.deepEqual([before.events, before.findings], [27, []]);
    // By bytes or number, by time, and as a day.
    assert.equal(await store.audit.prune({ keepEvents: 25, batch: 9 }), 2);
    const beforeMs = (today - daysMade + 1) * dayMs;
    let removed = 0;
    for (let calls = 0; calls < 3; calls += 1) removed += await store.audit.prune({ beforeMs, batch: 9 });
    assert.equal(removed, 18);
    assert.equal(await store.audit.prune({ beforeMs: (today - 2) * dayMs, batch: 1 }), 1);
    const after = await verifyChain(store.audit.chain, signer.publicKeys, {});
    assert.deepEqual([after.events, after.findings], [6, []]);
    const [problem, ...more] = (await store.audit.roomProblems?.(30)) ?? [];
    assert.match(problem ?? '', /raise its max_locks_per_transaction/);
    assert.deepEqual(more, []);
  },
);

test(
  'a restore of more days than a server has locks for, also again where it was cut off',
  { skip },
  async () => {
    await using server = await startPostgres({
      settings: ['max_locks_per_transaction=10', 'max_connections=50'],
    });
    for (const name of ['source', 'target', 'other']) await server.run(`CREATE DATABASE ${name}`);
    const store = await openStore(server.url('source'));
    const today = Number(
      (await server.run('SELECT max(day) - 7 AS day FROM audit_day', 'source')).rows[0].day,
    );
    const first = today - daysRestored;
    for (let from = first; from < today; from += 40)
      await server.run(
        `SELECT audit_make_day(day) FROM generate_series(${from}, ${Math.min(from + 39, today - 1)}) AS day`,
        'source',
      );
    // Eight events each day: seven of one session, which has more than a thousand by and by, and one of none.
    const put = (from: number, to: number): string => `
    INSERT INTO audit (sequence, id, time_ms, session_id, verdict, kind, event, trace)
    SELECT day * ${placesOfDay} + n, 'e' || day || '-' || n, day * ${dayMs}, CASE WHEN n < 7 THEN 's' END, 'deny', 'exchange',
      '{"id":"e' || day || '-' || n || '","n":"' || repeat('x', n) || '"}', ''
    FROM generate_series(${from}::bigint, ${to}) AS day, generate_series(0, 7) AS n ORDER BY day, n`;
    for (let from = first; from < today; from += 30)
      await server.run(put(from, Math.min(from + 29, today - 1)), 'source');
    await assert.rejects(server.run('SELECT max(sequence) FROM audit', 'source'), /out of shared memory/);
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'backup');
    await backUpStore({ store: server.url('source'), file, nowMs: 8000 });
    await store.close();
    const facts = {
      endedSessions: new Map(),
      committed: new Map(),
      usedTokens: new Map(),
      closedAccess: new Map(),
      revokedOperators: new Map(),
      endsAll: false,
      nowMs: 9000,
    };
    const place = (name: string) => ({ store: server.url(name), file, nowMs: 9000 });
    const cut = ({ table, rows }: RowProgress): void => {
      if (table === 'audit' && rows > 1000) throw new Error('cut');
    };
    const events = async (name: string): Promise<number> => {
      const { rows } = await server.run('SELECT sum(one)::int AS events FROM store_filling', name);
      return Number(rows[0].events);
    };
    for (const name of ['target', 'other'])
      await assert.rejects(restoreStore({ ...place(name), onProgress: cut }, facts), /cut/);
    assert.deepEqual([await events('target'), await events('other')], [1000, 1000]);
    // What is not of the restore is not taken away.
    await server.run('ALTER TABLE audit DISABLE TRIGGER USER', 'other');
    await server.run(
      `INSERT INTO audit (sequence, id, time_ms, verdict, kind, event, trace) VALUES (${first * placesOfDay + 9}, 'x', 1, 'deny', 'alarm', '{}', '')`,
      'other',
    );
    await assert.rejects(restoreStore(place('other'), facts), /is not empty: audit has rows/);
    const restored = await restoreStore(place('target'), facts);
    assert.equal(restored.sums.get('audit')?.rows, 8 * daysRestored);
    const sums = async (name: string): Promise<readonly unknown[]> => [
      (await server.run('SELECT * FROM audit_holding ORDER BY holder', name)).rows,
      (await server.run('SELECT * FROM audit_total', name)).rows,
      (await server.run("SELECT tgenabled FROM pg_trigger WHERE tgname = 'audit_stored'", name)).rows,
    ];
    assert.deepEqual(await sums('target'), await sums('source'));
    await using again = await openStore(server.url('target'));
    await again.audit.append([auditEntry('later', { timeMs: today * dayMs })]);
    assert.equal((await again.audit.held()).events, 8 * daysRestored + 1);
  },
);

/** The ids of all events by their time, so many at a time. */
async function periodOf(store: Store, limit: number, fromMs?: number): Promise<readonly string[]> {
  const ids: string[] = [];
  const from = fromMs === undefined ? {} : { fromMs };
  for (let behind: PeriodPage['next'], isFirst = true; isFirst || behind !== undefined; isFirst = false) {
    const page = await store.audit.period({ ...from, limit, ...(behind === undefined ? {} : { behind }) });
    ids.push(...page.events.map(({ id }) => id));
    behind = page.next;
  }
  return ids;
}

test(
  'days that are kept beyond the locks of a server, and a clock that was ahead once, are told',
  { skip },
  async () => {
    await using server = await startPostgres();
    await using store = await openStore(server.url('postgres'));
    assert.deepEqual(await store.audit.roomProblems?.(90), []);
    const [locks] = (await store.audit.roomProblems?.(36_500)) ?? [];
    assert.match(locks ?? '', /room for \d+ locks, and the days of the audit may need 438000/);
    const { rows } = await server.run('SELECT max(day) AS day FROM audit_day');
    const day = Number(rows[0].day);
    await server.run(`SELECT setval('audit_place', ${day * placesOfDay})`);
    const [ahead, ...more] = (await store.audit.roomProblems?.(90)) ?? [];
    const until = new Date(day * dayMs).toISOString().slice(0, 10);
    assert.match(ahead ?? '', new RegExp(`newest day of the audit is ${until}, later than today`));
    assert.deepEqual(more, []);
  },
);
