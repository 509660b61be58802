// A SQLite store that goes to PostgreSQL: all of it is there, nobody writes the file any more, and a cut at any step leaves nothing half.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { moveStore } from '../../src/store/move-store.ts';
import { placesOfDay } from '../../src/store/postgres/postgres-audit-days-schema.ts';
import { openStore } from '../../src/store/open-store.ts';
import { portableTables, tablesLeftBehind } from '../../src/store/portable/portable-tables.ts';
import { migrations as sqliteMigrations } from '../../src/store/sqlite/sqlite-schema.ts';
import { auditEntry } from '../conformance/audit.ts';
import { newSession } from '../conformance/new-session.ts';
import { fillStore } from '../support/filled-store.ts';
import { postgresBinaries, type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;
const bounds = { enrolmentsPerTokenMax: 10 };
const refused = (message: RegExp) => ({ name: 'ProxyError', message });
let server: PostgresServer;
let databases = 0;

async function emptyDatabase(): Promise<{ readonly name: string; readonly url: string }> {
  databases += 1;
  await server.run(`CREATE DATABASE move${databases}`);
  return { name: `move${databases}`, url: server.url(`move${databases}`) };
}

async function countOf(table: string, database: string): Promise<number> {
  return Number((await server.run(`SELECT count(*) FROM ${table}`, database)).rows[0]?.count);
}

describe('a store that is moved', { skip }, () => {
  before(async () => {
    server = await startPostgres();
  });
  after(() => server[Symbol.asyncDispose]());

  test('sessions, tokens, grants, policies and the audit are there, and go on', () =>
    withTemporaryDirectory(async (root) => {
      const from = join(root, 'state', 'state.db');
      const { url, name } = await emptyDatabase();
      const filled = await fillStore(await openStore(`sqlite:${from}`), 3450);
      const progress: string[] = [];
      const outcome = await moveStore({
        from,
        to: url,
        nowMs: 5000,
        onProgress: ({ table, rows }) => progress.push(`${table} ${rows}`),
      });
      assert.ok(outcome.kind === 'moved');
      assert.equal(outcome.sums.get('audit')?.rows, 3450);
      assert.ok(progress.includes('audit 200') && progress.includes('audit 3450'), progress.join());
      await using store = await openStore(url);
      assert.deepEqual(await filled.read(store), filled.expected);
      // What is numbered goes on behind what was numbered there.
      assert.equal(await store.changes.newest(), filled.changes);
      assert.deepEqual(await store.sessions.commit('living', 3000), { kind: 'already_committed' });
      assert.equal(
        (await store.sessions.enrol(newSession('again', { tokenKey: 'used' }), bounds)).kind,
        'token_consumed',
      );
      const columns = 'holder, events, bytes, first_events, first_through, later_events, later_bytes';
      const sums = `SELECT ${columns} FROM audit_holding ORDER BY holder`;
      const raw = new DatabaseSync(from, { readOnly: true });
      const numbers = (rows: readonly object[]) =>
        rows.map((row) =>
          Object.values(row).map((value) => (/^\d+$/.test(String(value)) ? Number(value) : value)),
        );
      assert.deepEqual(numbers((await server.run(sums, name)).rows), numbers(raw.prepare(sums).all()));
      raw.close();
      await store.audit.append([auditEntry('later')]);
      const { rows } = await server.run('SELECT sequence FROM audit ORDER BY sequence DESC LIMIT 2', name);
      // In the part of its day.
      assert.ok(Number(rows[1]?.sequence) < placesOfDay && Number(rows[0]?.sequence) > placesOfDay);
      assert.equal((await store.audit.held()).events, 3451);
      // What was begun on the file and has not ended is not told as lost while its gateway may still tell how it ended.
      assert.deepEqual(await store.audit.leftOpen(10), []);
      assert.equal(await countOf('audit_open', name), 1);
      assert.deepEqual((await moveStore({ from, to: url, nowMs: 6000 })).kind, 'already');
    }));

  test('every table and column of both engines goes along, or is one that an engine makes itself', async () => {
    const { url, name } = await emptyDatabase();
    await (await openStore(url)).close();
    const sqlite = new DatabaseSync(':memory:');
    for (const { script } of sqliteMigrations) sqlite.exec(script);
    const here = sqlite
      .prepare(
        `SELECT t.name || '.' || c.name AS found FROM sqlite_schema AS t, pragma_table_xinfo(t.name) AS c
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND c.hidden = 0 ORDER BY found`,
      )
      .all()
      .map(({ found }) => String(found));
    const { rows } = await server.run(
      `SELECT relname || '.' || attname AS found FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
       WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0 AND NOT attisdropped`,
      name,
    );
    const there = rows.map(({ found }) => String(found));
    const carried = (columns: readonly string[], engine: 'sqlite' | 'postgres') =>
      columns
        .filter((column) => {
          const [table = '', name = ''] = column.split('.');
          if (tablesLeftBehind.has(table)) return false;
          const known = portableTables.find((one) => one.name === table);
          assert.ok(known, `${table} of ${engine} neither goes along nor stays behind`);
          return known.only === undefined && known.made?.includes(name) !== true;
        })
        .sort();
    assert.deepEqual(carried(here, 'sqlite'), carried(there, 'postgres'));
    assert.ok(here.length > 100);
  });

  test('nobody writes the file any more: who has it open, who opens it, and programs that do not know the mark', () =>
    withTemporaryDirectory(async (root) => {
      const from = join(root, 'state', 'state.db');
      const { url } = await emptyDatabase();
      await using running = await openStore(`sqlite:${from}`);
      await running.sessions.enrol(newSession('a'), bounds);
      await running.probe?.();
      assert.equal(running.movedTo?.(), undefined);
      await moveStore({ from, to: url, nowMs: Date.UTC(2026, 0, 2) });
      assert.equal(running.movedTo?.(), url);
      const moved = refused(/was moved to postgres:/);
      await assert.rejects(running.sessions.enrol(newSession('b', { tokenKey: 'b' }), bounds), moved);
      await assert.rejects(running.sessions.commit('a', 1500), moved);
      await assert.rejects(running.audit.append([auditEntry('x')]), moved);
      for (const table of ['audit', 'session', 'consumed_token', 'store_moved']) {
        const raw = new DatabaseSync(from);
        assert.throws(
          () => raw.exec(`INSERT OR REPLACE INTO ${table} DEFAULT VALUES`),
          /it was moved to postgres:/,
        );
        raw.close();
      }
      await assert.rejects(async () => running.probe?.(), moved);
      await assert.rejects(openStore(`sqlite:${from}`), refused(/was moved to postgres:.* on 2026-01-02T/));
      await using reader = await openStore(`sqlite:${from}`, { isReader: true });
      assert.equal((await reader.sessions.find('a'))?.state, 'enrolled');
      const raw = new DatabaseSync(from);
      assert.ok(Number(raw.prepare('SELECT serves_from FROM schema_version').get()?.['serves_from']) > 1000);
      raw.close();
      const other = await emptyDatabase();
      await assert.rejects(moveStore({ from, to: other.url, nowMs: 1 }), moved);
    }));

  test('what cannot take it leaves the file as it was', () =>
    withTemporaryDirectory(async (root) => {
      const from = join(root, 'state', 'state.db');
      const { url } = await emptyDatabase();
      await using file = await openStore(`sqlite:${from}`);
      await file.sessions.enrol(newSession('a'), bounds);
      await using full = await openStore(url);
      await full.audit.append([auditEntry('of another')]);
      await assert.rejects(moveStore({ from, to: url, nowMs: 1 }), refused(/is not empty: audit has rows/));
      const other = await emptyDatabase();
      await (await openStore(other.url)).close();
      await server.run(
        `CREATE ROLE writer LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO writer`,
        other.name,
      );
      await assert.rejects(
        moveStore({ from, to: server.url(other.name, 'writer'), nowMs: 1 }),
        refused(/must be owner of/),
      );
      await assert.rejects(
        moveStore({ from, to: server.url('nowhere'), nowMs: 1 }),
        refused(/no database of that name/),
      );
      await assert.rejects(
        moveStore({ from: join(root, 'x'), to: url, nowMs: 1 }),
        refused(/there is no store/),
      );
      await file.sessions.enrol(newSession('b', { tokenKey: 'b' }), bounds);
    }));

  test('a database that has something else than it was given is not used, and stays empty', () =>
    withTemporaryDirectory(async (root) => {
      const from = join(root, 'state', 'state.db');
      const { url, name } = await emptyDatabase();
      await fillStore(await openStore(`sqlite:${from}`), 10);
      await (await openStore(url)).close();
      await server.run(
        `CREATE FUNCTION bend() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.reason := 'bent'; RETURN NEW; END $$;
         CREATE TRIGGER bend BEFORE INSERT ON session FOR EACH ROW EXECUTE FUNCTION bend()`,
        name,
      );
      await assert.rejects(
        moveStore({ from, to: url, nowMs: 1 }),
        refused(/not what it was filled with: rows of session are not those that were read/),
      );
      assert.equal(await countOf('session', name), 0);
      await server.run('DROP TRIGGER bend ON session', name);
      assert.equal((await moveStore({ from, to: url, nowMs: 1 })).kind, 'moved');
    }));

  test('kill -9 at any statement: the next call begins anew, and then all is there', () =>
    withTemporaryDirectory(async (root) => {
      const from = join(root, 'state', 'state.db');
      const { url, name } = await emptyDatabase();
      const filled = await fillStore(await openStore(`sqlite:${from}`), 450);
      // The schema of TO is made by an earlier call, so that the statements are those of the copy.
      await (await openStore(url)).close();
      const program = fileURLToPath(new URL('../support/cut-move.ts', import.meta.url));
      const run = (cut: string, goOn = '0') =>
        spawnSync(process.execPath, [program, from, url, cut, goOn], { encoding: 'utf8' });
      for (const cut of [
        'LOCK',
        'ALTER TABLE ONLY audit DISABLE',
        'CREATE TABLE IF NOT EXISTS store_filling',
        'COMMIT',
      ]) {
        assert.equal(run(cut).signal, 'SIGKILL', cut);
        // Nothing has begun, on either side.
        await (await openStore(url)).close();
        await (await openStore(`sqlite:${from}`)).close();
      }
      const cuts: readonly (readonly [string, string?])[] = [
        ['INSERT INTO session'],
        ['INSERT INTO audit ('],
        ['UPDATE store_filling'],
        ['INSERT INTO audit_holding'],
        // What was stored of the audit before is taken away, a part at a time.
        ['TRUNCATE audit_'],
        ['setval'],
        ['FETCH'],
        ['CREATE TABLE store'],
        ['DROP TABLE'],
        ['COMMIT', '1'],
        // The last one that stores something.
        ['COMMIT', '7'],
      ];
      for (const [cut, goOn] of cuts) {
        const { signal, stderr } = run(cut, goOn);
        assert.equal(signal, 'SIGKILL', `${cut}: ${stderr}`);
        // An empty store in which no token was used would be a new one.
        for (const access of [{}, { isReader: true }, { isOperator: true }])
          await assert.rejects(
            openStore(url, access),
            refused(/The store is not filled: .*Run it again/),
            cut,
          );
        // Whoever has the lock is gone once the server has seen its end.
        assert.equal(await countOf('session', name), 0, cut);
      }
      assert.deepEqual(run('nowhere').stdout, 'moved\n');
      await using store = await openStore(url);
      assert.deepEqual(await filled.read(store), filled.expected);
      assert.equal(run('nowhere').stdout, 'already\n');
    }));
});
