import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import type { Migration } from '../../../src/store/schema-version.ts';
import { SqliteDatabase } from '../../../src/store/sqlite/sqlite-database.ts';
import { migrate } from '../../../src/store/sqlite/sqlite-migrate.ts';
import { migrations } from '../../../src/store/sqlite/sqlite-schema.ts';
import { openSqliteStore } from '../../../src/store/sqlite/sqlite-store.ts';
import { newSession } from '../../conformance/new-session.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

const known = migrations.length;
const refused = (message: RegExp) => ({ name: 'ProxyError', code: 'store_unavailable', message });
/** What the program of each schema version wrote, by its own code, as SQL. */
const fixture = (version: number): string =>
  readFileSync(new URL(`fixtures/schema-${version}.sql`, import.meta.url), 'utf8');

async function fileOf(path: string, sql: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const database = await SqliteDatabase.open(path, 'full');
  database.script(sql);
  database.close();
}

/** Tables with their columns, and all rows of them. */
function contents(path: string): Map<string, { columns: unknown; rows: readonly object[] }> {
  const database = new DatabaseSync(path);
  const tables = database
    .prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`)
    .all();
  const found = new Map(
    tables.map(({ name }) => [
      String(name),
      {
        columns: database
          .prepare(`SELECT name, type, "notnull", pk FROM pragma_table_info(:name)`)
          .all({ name: String(name) }),
        rows: database.prepare(`SELECT * FROM ${String(name)}`).all(),
      },
    ]),
  );
  database.close();
  return found;
}

function indexesOf(path: string): unknown {
  const database = new DatabaseSync(path);
  const sql = `SELECT name, tbl_name FROM sqlite_schema WHERE type = 'index' ORDER BY name`;
  const indexes = database.prepare(sql).all();
  database.close();
  return indexes;
}

test('the numbers of the migrations follow each other, and none serves programs that an earlier one gave up', () => {
  let servesFrom = 1;
  for (const [index, migration] of migrations.entries()) {
    assert.equal(migration.version, index + 1);
    assert.ok(migration.servesFrom >= servesFrom && migration.servesFrom <= migration.version);
    ({ servesFrom } = migration);
  }
});

for (const version of [1, 2, 3]) {
  test(`what a program of schema version ${version} wrote is all there after the migration`, () =>
    withTemporaryDirectory(async (root) => {
      const path = join(root, 'state', 'state.db');
      await fileOf(path, fixture(version));
      const before = contents(path);
      await using store = await openSqliteStore(path);
      assert.equal((await store.sessions.find('enrolled'))?.claims['text'], 'line\none\u2028"quoted"');
      assert.equal(await store.tokens.consumedBy('token-1'), 'committed');
      assert.equal((await store.audit.query({ limit: 9 })).length, 2);
      const after = contents(path);
      for (const [table, { rows }] of before) {
        if (table === 'schema_version') continue;
        const now = after.get(table)?.rows ?? [];
        assert.equal(now.length, rows.length, table);
        // A migration may add columns.
        for (const [index, row] of rows.entries()) assert.partialDeepStrictEqual(now[index], row, table);
      }
      assert.equal(after.get('schema_version')?.rows.length, 1);
      assert.partialDeepStrictEqual(after.get('schema_version')?.rows[0], {
        version: known,
        serves_from: migrations[known - 1]?.servesFrom,
      });
    }));

  test(`a store of schema version ${version} has the tables and indexes of a new one after the migration`, () =>
    withTemporaryDirectory(async (root) => {
      const [path, fresh] = [join(root, 'state', 'old.db'), join(root, 'state', 'new.db')];
      await fileOf(path, fixture(version));
      for (const one of [path, fresh]) await (await openSqliteStore(one)).close();
      const columns = (one: string): unknown =>
        [...contents(one)].map(([table, { columns: list }]) => [table, list]);
      assert.deepEqual(columns(path), columns(fresh));
      assert.deepEqual(indexesOf(path), indexesOf(fresh));
    }));
}

test('a grant for refs of an earlier schema ends when it was to end, and for earlier programs it is none', () =>
  withTemporaryDirectory(async (root) => {
    const path = join(root, 'state', 'state.db');
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const database = await SqliteDatabase.open(path, 'full');
    migrate(database, migrations.slice(0, 17));
    database.script(`INSERT INTO access_request (id, session_id, principal_id, scheme, host, port, reason, state, created_ms,
      pending_until_ms, subject, scope, refs, ends_ms) VALUES
      ('r', 's', 'p', 'https', 'h', 1, 'x', 'granted', 1, 2, 'principal', 'exact', '["refs/heads/a"]', 5000),
      ('t', 's', 'p', 'https', 'h', 1, 'x', 'granted', 2, 2, 'principal', 'exact', NULL, 6000)`);
    database.close();
    await using store = await openSqliteStore(path);
    assert.deepEqual(
      (await store.access.inForce(4999)).map(({ terms }) => [terms?.refs, terms?.endsMs]),
      [
        [['refs/heads/a'], 5000],
        [undefined, 6000],
      ],
    );
    using raw = new DatabaseSync(path);
    assert.deepEqual(
      raw
        .prepare('SELECT ends_ms FROM access_request ORDER BY id')
        .all()
        .map((row) => row['ends_ms']),
      [null, 6000],
    );
  }));

const numbers = (database: SqliteDatabase): object => ({
  ...database.get('SELECT version, serves_from FROM schema_version'),
});
const next = (script: string, servesFrom = known): Migration => ({ version: known + 1, servesFrom, script });

test('a migration that fails leaves nothing of itself, and those before it stay', () =>
  withTemporaryDirectory(async (root) => {
    const path = join(root, 'state', 'state.db');
    await fileOf(path, fixture(1));
    const database = await SqliteDatabase.open(path, 'full');
    const broken = next('CREATE TABLE half (id TEXT) STRICT; INSERT INTO nowhere VALUES (1);');
    assert.throws(() => migrate(database, [...migrations, broken]), refused(/no such table: nowhere/));
    assert.deepEqual(numbers(database), { version: known, serves_from: migrations[known - 1]?.servesFrom });
    assert.equal(database.get(`SELECT 1 AS there FROM sqlite_schema WHERE name = 'half'`), undefined);
    migrate(database, [...migrations, next('CREATE TABLE half (id TEXT) STRICT')]);
    assert.deepEqual(numbers(database), { version: known + 1, serves_from: known });
    database.close();
  }));

test('a program goes on beside the next one, whose migration only adds, and opens the store that it left', () =>
  withTemporaryDirectory(async (root) => {
    const path = join(root, 'state', 'state.db');
    await using running = await openSqliteStore(path);
    await running.sessions.enrol(newSession('before'), { enrolmentsPerTokenMax: 10 });
    const newer = await SqliteDatabase.open(path, 'full');
    const expand = next('ALTER TABLE session ADD COLUMN region TEXT; CREATE TABLE more (id TEXT) STRICT');
    migrate(newer, [...migrations, expand]);
    await running.sessions.enrol(newSession('after', { tokenKey: 'token-2' }), { enrolmentsPerTokenMax: 10 });
    assert.equal((await running.sessions.find('before'))?.id, 'before');
    await using again = await openSqliteStore(path);
    assert.equal((await again.sessions.list({ limit: 9 })).length, 2);
    assert.deepEqual(numbers(newer), { version: known + 1, serves_from: known });
    newer.close();
  }));

test('a store that serves this program no more is refused and left to the octet', () =>
  withTemporaryDirectory(async (root) => {
    const path = join(root, 'state', 'state.db');
    await (await openSqliteStore(path)).close();
    const newer = await SqliteDatabase.open(path, 'full');
    migrate(newer, [...migrations, next('DROP TABLE audit_open', known + 1)]);
    newer.close();
    const before = await readFile(path);
    const message = new RegExp(`version ${known + 1}.*up to ${known}.*Run the newer program`);
    await assert.rejects(openSqliteStore(path), refused(message));
    assert.deepEqual(await readFile(path), before);
  }));

test('a database of something else is refused and left as it is', () =>
  withTemporaryDirectory(async (root) => {
    const path = join(root, 'state', 'state.db');
    await fileOf(path, 'CREATE TABLE bookmark (id TEXT)');
    await assert.rejects(openSqliteStore(path), refused(/holds something else/));
    assert.deepEqual([...contents(path).keys()], ['bookmark']);
    const numberless = join(root, 'state', 'numberless.db');
    await fileOf(numberless, `${fixture(3)}; DELETE FROM schema_version`);
    await assert.rejects(openSqliteStore(numberless), refused(/holds something else/));
    assert.equal(contents(numberless).get('session')?.rows.length, 4);
  }));
