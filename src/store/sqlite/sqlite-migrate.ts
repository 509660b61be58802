// Brings a SQLite store to the program's schema version, step by step.

import { ProxyError } from '../../protocol/error.ts';
import { type Migration, nextMigration, type SchemaVersion } from '../schema-version.ts';
import { fillingTable, notFilled } from '../portable/unfit-store.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { integerOf } from '../stored-row.ts';
import { migrations as ours } from './sqlite-schema.ts';

/**
 * Runs the migrations that are missing, each in a transaction of its own: a process that opens the file meanwhile, or that was
 * killed between two of them, goes on from there. A refused store is left as it was.
 * @throws ProxyError store_unavailable
 */
export function migrate(database: SqliteDatabase, migrations: readonly Migration[] = ours): void {
  let isMore = true;
  while (isMore) isMore = database.transaction(() => migrateOnce(database, migrations));
}

/** That there is nothing to migrate, for who leaves the store as it is. @throws ProxyError store_unavailable */
export function requireMigrated(database: SqliteDatabase): void {
  const table = database.get(
    `SELECT 1 AS known FROM sqlite_schema WHERE type = 'table' AND name = 'schema_version'`,
  );
  const row = table === undefined ? undefined : database.get('SELECT version FROM schema_version');
  if (row === undefined || integerOf(row, 'version') < (ours.at(-1)?.version ?? 0))
    throw new ProxyError(
      'store_unavailable',
      'The store has an older schema than this program; use the program that wrote it, or start a gateway of this version with it once.',
    );
}

/** That no copy into it was cut off. @throws ProxyError store_unavailable */
export function requireFilled(database: SqliteDatabase): void {
  const sql = `SELECT 1 AS known FROM sqlite_schema WHERE type = 'table' AND name = '${fillingTable}'`;
  if (database.get(sql) !== undefined) throw notFilled();
}

function migrateOnce(database: SqliteDatabase, migrations: readonly Migration[]): boolean {
  const next = nextMigration(readVersion(database), migrations);
  if (next === undefined) return false;
  const { version, servesFrom, script } = next;
  database.script(script);
  database.script('DELETE FROM schema_version');
  database.run('INSERT INTO schema_version (version, serves_from) VALUES (:version, :servesFrom)', {
    version,
    servesFrom,
  });
  return true;
}

/** What the file says of itself; undefined if there is nothing in it. */
function readVersion(database: SqliteDatabase): SchemaVersion | undefined {
  const tables = database.all(
    `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'`,
  );
  if (!tables.some(({ name }) => name === 'schema_version')) {
    if (tables.length > 0) throw foreign();
    database.script(
      'CREATE TABLE schema_version (version INTEGER NOT NULL, serves_from INTEGER NOT NULL) STRICT',
    );
    return undefined;
  }
  const column = database.get(
    `SELECT 1 AS known FROM pragma_table_info('schema_version') WHERE name = 'serves_from'`,
  );
  // Before there were two numbers, a program served its own version alone.
  const sql = `SELECT version, ${column === undefined ? 'version AS' : ''} serves_from FROM schema_version`;
  const rows = database.all(sql);
  const [row] = rows;
  if (row === undefined || rows.length > 1) throw foreign();
  const stored = { version: integerOf(row, 'version'), servesFrom: integerOf(row, 'serves_from') };
  if (column === undefined) {
    // Undone with everything else if the store is refused.
    database.script('ALTER TABLE schema_version ADD COLUMN serves_from INTEGER NOT NULL DEFAULT 0');
    database.run('UPDATE schema_version SET serves_from = version');
  }
  return stored;
}

function foreign(): ProxyError {
  return new ProxyError(
    'store_unavailable',
    'The store holds something else than the state of a gateway: it has tables, but not one line with their version. Use another file.',
  );
}
