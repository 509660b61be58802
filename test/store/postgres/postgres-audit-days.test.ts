// The audit in PostgreSQL in parts by day: what is stored once, found and verified over their borders, how they come and go, and who may do that.
// The days that are over are made here, and those of now hidden, so that what is stored goes where it went then.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { Client } from 'pg';
import { verifyChain } from '../../../src/store/chain/verify-chain.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { backUpStore, restoreStore } from '../../../src/store/backup-store.ts';
import { postgresAddress } from '../../../src/store/postgres/postgres-address.ts';
import { PostgresAuditDays } from '../../../src/store/postgres/postgres-audit-days.ts';
import { dayMs, daysAhead, placesOfDay } from '../../../src/store/postgres/postgres-audit-days-schema.ts';
import { PostgresChain } from '../../../src/store/postgres/postgres-chain.ts';
import { PostgresDatabase } from '../../../src/store/postgres/postgres-database.ts';
import { isDataFault } from '../../../src/store/postgres/postgres-fault.ts';
import type { ProxyError } from '../../../src/protocol/error.ts';
import type { AuditEntry, Store } from '../../../src/store/store.ts';
import { auditEntry } from '../../conformance/audit.ts';
import { chainSigner, kindsOf, storeChained } from '../../conformance/chain.ts';
import { postgresBinaries, type PostgresServer, startPostgres } from '../../support/postgres-server.ts';
import { waitUntil } from '../../support/program.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;
let server: PostgresServer;
let databases = 0;

class Scene implements AsyncDisposable {
  readonly name: string;
  readonly store: Store;
  readonly today: number;

  constructor(name: string, store: Store, today: number) {
    this.name = name;
    this.store = store;
    this.today = today;
  }

  static async open(): Promise<Scene> {
    databases += 1;
    const name = `d${databases}`;
    await server.run(`CREATE DATABASE ${name}`);
    const store = await openStore(server.url(name));
    const { rows } = await server.run('SELECT day FROM audit_day ORDER BY day OFFSET 1 LIMIT 1', name);
    return new Scene(name, store, Number(rows[0].day));
  }

  async rows(sql: string): Promise<readonly Record<string, unknown>[]> {
    return (await server.run(sql, this.name)).rows;
  }

  /** Runs `body` as on the day before today by that many. */
  async daysAgo(days: number, body: () => Promise<unknown>): Promise<void> {
    const day = this.today - days;
    await this.rows(`SELECT audit_make_day(${day})`);
    await this.rows(`UPDATE audit_day SET made_ms = 0`);
    const later = await this.rows(`DELETE FROM audit_day WHERE day > ${day} RETURNING day`);
    await body();
    for (const one of later) await this.rows(`INSERT INTO audit_day VALUES (${String(one['day'])}, 0)`);
  }

  /** How many events each part has that has some, the oldest first. */
  async parts(): Promise<readonly number[]> {
    const rows = await this.rows(
      'SELECT count(*) AS count FROM audit GROUP BY tableoid ORDER BY min(sequence)',
    );
    return rows.map(({ count }) => Number(count));
  }

  days(attempts?: number): PostgresAuditDays & AsyncDisposable {
    const database = new PostgresDatabase(postgresAddress(server.url(this.name)), {});
    return Object.assign(new PostgresAuditDays(database, new PostgresChain(database), attempts), {
      [Symbol.asyncDispose]: () => database.close(),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
  }
}

const entries = (from: number, count: number, changes: Partial<AuditEntry> = {}): readonly AuditEntry[] =>
  Array.from({ length: count }, (_, at) => auditEntry(`e${String(from + at).padStart(4, '0')}`, changes));

describe('the audit in days', { skip }, () => {
  before(async () => {
    server = await startPostgres();
  });
  after(() => server[Symbol.asyncDispose]());

  test('events are in the parts of the days on which they came, and found over their borders', async () => {
    await using scene = await Scene.open();
    const { store } = scene;
    for (const days of [5, 4, 3, 2, 1])
      await scene.daysAgo(days, () =>
        store.audit.append(entries(100 * (5 - days), 3, { sessionId: `s${days % 2}` })),
      );
    await store.audit.append(entries(500, 3, { sessionId: 's0', verdict: 'deny' }));
    assert.deepEqual(await scene.parts(), [3, 3, 3, 3, 3, 3]);
    await using fresh = await openStore(server.url(scene.name));
    const ids = (events: readonly { readonly id: string }[]): readonly string[] => events.map(({ id }) => id);
    const all = [0, 100, 200, 300, 400, 500].flatMap((from) => entries(from, 3).map(({ id }) => id));
    assert.deepEqual(ids(await fresh.audit.query({ limit: 100 })), all);
    assert.deepEqual(ids(await fresh.audit.query({ limit: 100, order: 'newest' })), all.toReversed());
    assert.deepEqual(ids(await fresh.audit.query({ limit: 4, sinceId: 'e0101' })), all.slice(5, 9));
    assert.deepEqual(
      ids(await fresh.audit.query({ limit: 7, beforeId: 'e0401', order: 'newest' })),
      all.slice(6, 13).toReversed(),
    );
    assert.equal((await fresh.audit.find('e0002'))?.id, 'e0002');
    assert.equal(await fresh.audit.find('e0009'), undefined);
    // A page at a time, each of which looks at few.
    const found: string[] = [];
    for (let next: string | undefined = undefined; ;) {
      const page = await fresh.audit.search({
        sessionId: 's0',
        verdict: 'allow',
        limit: 2,
        lookMax: 4,
        ...(next === undefined ? {} : { beforeId: next }),
      });
      found.push(...ids(page.events));
      next = page.next;
      if (next === undefined) break;
    }
    assert.deepEqual(found, [...entries(100, 3), ...entries(300, 3)].map(({ id }) => id).toReversed());
    const period = await fresh.audit.period({ limit: 100 });
    assert.equal(period.events.length, 18);
  });

  test('what comes twice is one event over midnight too, and so is what comes again long after', async () => {
    await using scene = await Scene.open();
    const { store } = scene;
    const old = entries(0, 3, { timeMs: (scene.today - 4) * dayMs });
    const told = auditEntry('open', { timeMs: scene.today * dayMs });
    await scene.daysAgo(4, async () => {
      await store.audit.append(old, [told]);
      await store.audit.append([{ ...told, wasOpen: true }]);
    });
    const yesterday = entries(10, 3, { timeMs: scene.today * dayMs - 1000 });
    await scene.daysAgo(1, () => store.audit.append(yesterday));
    const now = entries(20, 1, { timeMs: scene.today * dayMs });
    await store.audit.append([...old, ...yesterday, ...now]);
    assert.deepEqual(await scene.parts(), [4, 3, 1]);
    await store.audit.append([...yesterday, ...now]);
    assert.equal((await store.audit.held()).events, 8);
    // Somebody else told what was open, days before.
    await store.audit.append([{ ...told, wasOpen: true }]);
    assert.equal((await store.audit.held()).events, 8);
  });

  test('a spool that is delivered over midnight is stored once, and its chain verifies over the border', async () => {
    await using scene = await Scene.open();
    const { store } = scene;
    const signer = chainSigner();
    await store.audit.chain.begin(signer);
    const { delivery } = store.audit;
    assert.ok(delivery);
    const records = (from: number, count: number) =>
      entries(from, count).map((entry, at) => ({ sequence: from + at, kind: 'event' as const, entry }));
    await scene.daysAgo(1, async () => {
      assert.equal(await delivery.deliver({ spool: 'a', after: 0, records: records(1, 4) }), 4);
    });
    assert.equal(await delivery.deliver({ spool: 'a', after: 0, records: records(1, 4) }), 4);
    assert.equal(await delivery.deliver({ spool: 'a', after: 4, records: records(5, 4) }), 8);
    await store.audit.chain.signHead();
    assert.deepEqual(await scene.parts(), [4, 4]);
    const report = await verifyChain(store.audit.chain, signer.publicKeys, {});
    assert.deepEqual([report.events, report.findings], [8, []]);
  });

  test('without a part for today the day before goes on, and with none at all the spool keeps what it has', async () => {
    await using scene = await Scene.open();
    const { store } = scene;
    const { delivery } = store.audit;
    assert.ok(delivery);
    await using days = scene.days();
    await scene.daysAgo(1, () => store.audit.append(entries(0, 1)));
    const parts = await scene.rows(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit'::regclass`,
    );
    // Nobody made any for a week.
    for (const { name } of parts)
      if (name !== 'audit_before_days' && String(name) > `audit_${dayName(scene.today - 1)}`)
        await scene.rows(`DROP TABLE ${String(name)}`);
    await scene.rows(`DELETE FROM audit_day WHERE day >= ${scene.today}`);
    await store.audit.append(entries(1, 2));
    assert.deepEqual(await scene.parts(), [3]);
    assert.equal(await days.make(), daysAhead);
    await store.audit.append(entries(3, 2));
    assert.deepEqual(await scene.parts(), [3, 2]);
    // Somebody removed the one that is in use.
    await scene.rows('ALTER TABLE audit RENAME TO whole');
    const { rows } = await server.run(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'whole'::regclass`,
      scene.name,
    );
    for (const { name } of rows) await scene.rows(`ALTER TABLE whole DETACH PARTITION ${name}`);
    await scene.rows('ALTER TABLE whole RENAME TO audit');
    const batch = {
      spool: 'a',
      after: 0,
      records: entries(10, 2).map((entry, at) => ({ sequence: at + 1, kind: 'event' as const, entry })),
    };
    await assert.rejects(delivery.deliver(batch), (error: ProxyError) => {
      assert.equal(error.code, 'store_unavailable');
      // Else an alarm would take the place of the event as soon as there is room for one.
      assert.equal(isDataFault(error.cause), false, String(error.cause));
      return true;
    });
    assert.deepEqual(await scene.rows('SELECT 1 FROM audit_spool'), []);
    const today = rows.find(
      ({ name }) => /_\d{4}_\d\d_\d\d$/.test(name) && name.endsWith(dayName(scene.today)),
    );
    await scene.rows(
      `ALTER TABLE audit ATTACH PARTITION ${today.name} FOR VALUES FROM (${scene.today * placesOfDay}) TO (${(scene.today + 1) * placesOfDay})`,
    );
    assert.equal(await delivery.deliver(batch), 2);
    assert.deepEqual(await scene.parts(), [4]);
  });

  test('gateways that make days at the same moment make each once', async () => {
    await using scene = await Scene.open();
    await scene.rows('DELETE FROM audit_day WHERE day > 0');
    const parts = await scene.rows(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit'::regclass`,
    );
    for (const { name } of parts)
      if (name !== 'audit_before_days') await scene.rows(`DROP TABLE ${String(name)}`);
    await using one = scene.days();
    await using other = scene.days();
    // Nobody who reads or writes is waited for.
    const client = new Client({ connectionString: server.url(scene.name) });
    await client.connect();
    await client.query(`BEGIN; SELECT count(*) FROM audit;
      INSERT INTO audit (id, time_ms, verdict, kind, event) VALUES ('begun', 1, 'allow', 'exchange', '{}')`);
    const made = await Promise.all([one.make(), other.make(), one.make(), other.make()]);
    assert.ok(made.includes(daysAhead), made.join());
    await client.query('ROLLBACK');
    await client.end();
    assert.equal((await scene.rows('SELECT 1 FROM audit_day')).length, daysAhead + 2);
    await scene.store.audit.append(entries(0, 1));
    assert.deepEqual(await scene.parts(), [1]);
  });

  test('a day of which all is too old goes as a whole, with its sums, and what is verified goes on behind it', async () => {
    await using scene = await Scene.open();
    const { store } = scene;
    const signer = chainSigner();
    await store.audit.chain.begin(signer);
    const [oldMs, nextMs, nowMs] = [3, 2, 0].map((days) => (scene.today - days) * dayMs) as [
      number,
      number,
      number,
    ];
    await scene.daysAgo(3, async () => {
      await storeChained(store, 0, 700, oldMs);
      await store.audit.chain.signHead();
      await storeChained(store, 700, 900, oldMs);
    });
    await using other = await openStore(server.url(scene.name));
    await other.audit.chain.begin(signer);
    await scene.daysAgo(2, () => storeChained(other, 2000, 50, nextMs));
    await storeChained(store, 3000, 50, nowMs);
    await store.audit.chain.signHead();
    await other.audit.chain.end();
    const beforeMs = nextMs;
    // The first that goes is empty: what was before there were days.
    assert.equal(await store.audit.prune({ beforeMs: beforeMs - 1, batch: 500 }), 0);
    const removed = [];
    for (let calls = 0; calls < 3; calls += 1)
      removed.push(await store.audit.prune({ beforeMs, batch: 500 }));
    assert.deepEqual(
      removed.filter((count) => count > 0),
      [1600],
    );
    assert.deepEqual(await scene.parts(), [50, 50]);
    assert.equal((await store.audit.held()).events, 100);
    const sums = await scene.rows(
      'SELECT sum(events) AS events, sum(bytes) AS bytes, sum(later_events) AS later FROM audit_holding',
    );
    assert.deepEqual(Number(sums[0]?.['events']), 100);
    assert.equal(Number(sums[0]?.['bytes']), (await store.audit.held()).bytes);
    assert.deepEqual(await scene.rows('SELECT 1 FROM audit_day_holding'), []);
    assert.equal((await scene.rows('SELECT 1 FROM audit_cut')).length, 2);
    const report = await verifyChain(store.audit.chain, signer.publicKeys, {});
    assert.deepEqual([report.events, report.removed, report.findings], [100, 1600, []]);
    // Today is never one that goes, whatever the clock of a gateway says.
    assert.equal(await store.audit.prune({ beforeMs: (scene.today + 20) * dayMs, batch: 500 }), 50);
    assert.deepEqual((await scene.parts()).length, 1);
  });

  test('what was changed in a day, or put into it, before it went is found behind it', async () => {
    for (const attack of [
      `UPDATE audit SET event = replace(event, 'origin.test', 'nothing.test') WHERE id = 'c000046'`,
      `DELETE FROM audit WHERE id = 'c000046'`,
      `UPDATE audit SET link_before = (SELECT link_before FROM audit WHERE id = 'c000010') WHERE id = 'c000046'`,
    ]) {
      await using scene = await Scene.open();
      const { store } = scene;
      const signer = chainSigner();
      await store.audit.chain.begin(signer);
      await scene.daysAgo(3, () => storeChained(store, 0, 60, (scene.today - 3) * dayMs));
      await storeChained(store, 100, 10, scene.today * dayMs);
      await store.audit.chain.signHead();
      await scene.rows(attack);
      const beforeMs = scene.today * dayMs;
      await store.audit.prune({ beforeMs, batch: 500 });
      await store.audit.prune({ beforeMs, batch: 500 });
      assert.deepEqual(await scene.parts(), [10]);
      assert.notDeepEqual(kindsOf(await verifyChain(store.audit.chain, signer.publicKeys, {})), [], attack);
    }
  });

  test('a day waits for who reads it, a moment at a time, and nobody who writes waits for that', async () => {
    await using scene = await Scene.open();
    const { store } = scene;
    await scene.daysAgo(3, () => store.audit.append(entries(0, 5)));
    await store.audit.append(entries(10, 1));
    const beforeMs = scene.today * dayMs;
    await using days = scene.days(2);
    assert.equal(await days.dropBefore(beforeMs), 0);
    const reader = new Client({ connectionString: server.url(scene.name) });
    await reader.connect();
    await reader.query('BEGIN; SELECT count(*) FROM audit');
    const refused = days.dropBefore(beforeMs).then(
      () => undefined,
      (error: unknown) => error,
    );
    await waitUntil('a wait for the lock', async () => (await waiting(scene)) > 0);
    await store.audit.append(entries(20, 1));
    const error = await refused;
    assert.match(String(error), /others read the audit for too long/);
    assert.equal((await store.audit.held()).events, 7);
    await reader.query('COMMIT');
    await reader.end();
    await using again = scene.days();
    assert.equal(await again.dropBefore(beforeMs), 5);
    assert.equal((await store.audit.held()).events, 2);
  });

  test('a day that is being taken away is left as it was where the gateway ends', async () => {
    await using scene = await Scene.open();
    const { store } = scene;
    await scene.daysAgo(3, () => store.audit.append(entries(0, 5)));
    const beforeMs = scene.today * dayMs;
    await store.audit.append(entries(10, 1, { timeMs: beforeMs }));
    await using days = scene.days(1000);
    assert.equal(await days.dropBefore(beforeMs), 0);
    assert.equal(await days.dropBefore(beforeMs, AbortSignal.abort()), 0);
    const reader = new Client({ connectionString: server.url(scene.name) });
    await reader.connect();
    await reader.query('BEGIN; SELECT count(*) FROM audit');
    const ending = new AbortController();
    const dropped = days.dropBefore(beforeMs, ending.signal);
    await waitUntil('a wait for the lock', async () => (await waiting(scene)) > 0);
    ending.abort();
    assert.equal(await dropped, 0);
    await reader.query('COMMIT');
    await reader.end();
    assert.equal((await store.audit.held()).events, 6);
    assert.deepEqual(await scene.rows('SELECT 1 FROM audit_day_holding'), []);
    assert.equal(await store.audit.prune({ beforeMs, batch: 500, leavesDays: true }), 0);
    assert.equal(await store.audit.dropDay?.(beforeMs), 5);
  });

  test('where nobody stores any more, the last day with events goes too once another day has begun', async () => {
    await using scene = await Scene.open();
    const { store } = scene;
    await scene.daysAgo(3, () => store.audit.append(entries(0, 5)));
    let removed = 0;
    for (let calls = 0; calls < 3; calls += 1)
      removed += await store.audit.prune({ beforeMs: scene.today * dayMs, batch: 9 });
    assert.equal(removed, 5);
    await store.audit.append(entries(10, 1));
    assert.deepEqual(await scene.parts(), [1]);
  });

  test('what is left of a day of which some went before goes with it, and verifies', async () => {
    await using scene = await Scene.open();
    const { store } = scene;
    const signer = chainSigner();
    await store.audit.chain.begin(signer);
    const thenMs = (scene.today - 3) * dayMs;
    await scene.daysAgo(3, () => storeChained(store, 0, 60, thenMs));
    await storeChained(store, 100, 10, scene.today * dayMs);
    await store.audit.chain.signHead();
    assert.equal(await store.audit.prune({ keepEvents: 45, batch: 500 }), 25);
    let removed = 0;
    for (let calls = 0; calls < 3; calls += 1)
      removed += await store.audit.prune({ beforeMs: scene.today * dayMs, batch: 500 });
    assert.equal(removed, 35);
    const report = await verifyChain(store.audit.chain, signer.publicKeys, {});
    assert.deepEqual([report.events, report.removed, report.findings], [10, 60, []]);
  });

  test('what is older than the day on which it came goes row by row, and a day with others in it stays', async () => {
    await using scene = await Scene.open();
    const { store } = scene;
    const late = entries(0, 2, { timeMs: (scene.today - 9) * dayMs });
    await store.audit.append([...late, ...entries(5, 1, { timeMs: scene.today * dayMs })]);
    assert.equal(await store.audit.prune({ beforeMs: (scene.today - 5) * dayMs, batch: 10 }), 2);
    assert.deepEqual(
      (await store.audit.query({ limit: 9 })).map(({ id }) => id),
      ['e0005'],
    );
  });

  test('only who may store makes days, only who may remove drops them, and nothing but a day that is over', async () => {
    await using scene = await Scene.open();
    const { store, name, today } = scene;
    await scene.daysAgo(3, () => store.audit.append(entries(0, 2, { timeMs: (today - 3) * dayMs })));
    await store.audit.append(entries(10, 1, { timeMs: today * dayMs }));
    await scene.rows(await readFile(new URL('../../../deploy/postgres/roles.sql', import.meta.url), 'utf8'));
    await scene.rows('CREATE ROLE onlooker LOGIN IN ROLE upstreamproxy_reader');
    const as = async (user: string, sql: string): Promise<unknown> => {
      const client = new Client({ connectionString: server.url(name, user) });
      await client.connect();
      try {
        return await client.query(sql);
      } finally {
        await client.end();
      }
    };
    for (const call of [
      'audit_make_days()',
      'audit_make_day(1)',
      `audit_drop_day(${today - 3})`,
      'audit_places()',
    ])
      await assert.rejects(as('onlooker', `SELECT ${call}`), /permission denied for function/, call);
    await assert.rejects(
      as('upstreamproxy_gateway', 'SELECT audit_make_day(1)'),
      /permission denied for function/,
    );
    await assert.rejects(
      as('upstreamproxy_gateway', `DROP TABLE audit_${dayName(today - 3)}`),
      /must be owner/,
    );
    for (const day of [today, today + 1, 'NULL'])
      await assert.rejects(as('upstreamproxy_gateway', `SELECT audit_drop_day(${day})`), /may still come/);
    // Tables of its own that are called as those of the owner, and a row that names another table.
    await as(
      'upstreamproxy_gateway',
      `CREATE TEMP TABLE audit_day (day bigint, made_ms bigint); CREATE TEMP TABLE audit_place (last_value bigint);
       INSERT INTO audit_day VALUES (${today}, 0); INSERT INTO audit_place VALUES (${(today + 9) * placesOfDay});
       SET search_path = pg_temp, public; SELECT public.audit_make_days();
       DO $$ BEGIN PERFORM public.audit_drop_day(${today}); RAISE 'dropped'; EXCEPTION WHEN invalid_parameter_value THEN NULL; END $$`,
    );
    for (const change of [
      'INSERT INTO audit_day VALUES (17, 0)',
      'UPDATE audit_day SET day = 17',
      'DELETE FROM audit_day',
    ])
      await assert.rejects(as('upstreamproxy_gateway', change), /permission denied for table audit_day/);
    await scene.rows('INSERT INTO audit_day VALUES (17, 0)');
    await assert.rejects(as('upstreamproxy_gateway', 'SELECT audit_drop_day(17)'), /is no part of the audit/);
    await scene.rows('DELETE FROM audit_day WHERE day = 17');
    await using kept = await openStore(server.url(name, 'upstreamproxy_gateway'));
    await kept.audit.append(entries(20, 1, { timeMs: today * dayMs }));
    assert.equal(await kept.audit.makeRoom?.(), daysAhead);
    const beforeMs = today * dayMs;
    assert.equal(await kept.audit.prune({ beforeMs, batch: 9 }), 0);
    assert.equal(await kept.audit.prune({ beforeMs, batch: 9 }), 2);
    assert.deepEqual(await scene.parts(), [2]);
    await using looking = await openStore(server.url(name, 'onlooker'), { isReader: true });
    assert.equal((await looking.audit.query({ limit: 9 })).length, 2);
  });

  test('a backup comes back into the days that it has', () =>
    withTemporaryDirectory(async (root) => {
      await using scene = await Scene.open();
      await scene.daysAgo(3, () => scene.store.audit.append(entries(0, 4)));
      const now = { timeMs: scene.today * dayMs };
      await scene.store.audit.append(entries(10, 2, now));
      const file = `${root}/backup`;
      await backUpStore({ store: server.url(scene.name), file, nowMs: 1 });
      await server.run(`CREATE DATABASE restored`);
      await restoreStore(
        { store: server.url('restored'), file, nowMs: 2 },
        {
          endedSessions: new Map(),
          committed: new Map(),
          usedTokens: new Map(),
          closedAccess: new Map(),
          revokedOperators: new Map(),
          endsAll: false,
          nowMs: 2,
        },
      );
      await using store = await openStore(server.url('restored'));
      await store.audit.append(entries(20, 1, now));
      const { rows } = await server.run(
        'SELECT tableoid::regclass::text AS part, count(*) AS count FROM audit GROUP BY 1 ORDER BY 1',
        'restored',
      );
      assert.deepEqual(rows, [
        { part: `audit_${dayName(scene.today - 3)}`, count: '4' },
        { part: `audit_${dayName(scene.today)}`, count: '3' },
      ]);
      // Their time did not begin anew.
      let removed = 0;
      for (let calls = 0; calls < 3; calls += 1)
        removed += await store.audit.prune({ beforeMs: (scene.today - 1) * dayMs, batch: 9 });
      assert.equal(removed, 4);
    }));
});

function dayName(day: number): string {
  return new Date(day * dayMs).toISOString().slice(0, 10).replaceAll('-', '_');
}

async function waiting(scene: Scene): Promise<number> {
  return (await scene.rows(`SELECT 1 FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'`))
    .length;
}
