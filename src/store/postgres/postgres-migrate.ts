// Brings a PostgreSQL store to the program's schema version, step by step; one program at a time.

import { setTimeout as wait } from 'node:timers/promises';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { type Migration, nextMigration, type SchemaVersion } from '../schema-version.ts';
import { integerOf, type StoredRow } from '../stored-row.ts';
import { fillingTable, notFilled } from '../portable/unfit-store.ts';
import { isLockTimeout } from './postgres-fault.ts';
import { lockClasses } from './postgres-lock.ts';
import { migrations as ours } from './postgres-schema.ts';
import type { PostgresDatabase, ScriptRun } from './postgres-database.ts';

/** Older ones lack what the statements use, or get no corrections any more. */
const serverVersionMin = 15;
const lockRetryMs = 100;
/** Ten times as long as a step waits for those who read its table: whoever writes waits behind it for that long. */
const tableRetryMs = 20_000;
/** Of a step without which this program goes on. */
const waitingTries = 3;

type All = (sql: string) => Promise<readonly StoredRow[]>;

export interface OpeningOptions {
  /** Nothing is written: a replica, or a role that may only read, will do. */
  readonly isReader?: boolean | undefined;
  /** What is cut off of a copy is begun anew: by this alone. */
  readonly isFilling?: boolean | undefined;
  readonly migrations?: readonly Migration[] | undefined;
  /** Between two tries of a step whose table others read. */
  readonly tableRetryMs?: number | undefined;
}

/**
 * Checks that this program can use the store, and runs the migrations that are missing, each in a transaction of its own with the
 * change of the numbers. A refused store is left as it was.
 * @throws ProxyError store_unavailable
 */
export async function migrate(database: PostgresDatabase, options: OpeningOptions = {}): Promise<void> {
  const { isReader = false, isFilling = false, migrations = ours } = options;
  const pauseMs = options.tableRetryMs ?? tableRetryMs;
  await checkServer(database, isReader);
  // Nearly always there is nothing to do, and then the right to read is enough.
  const stored = await readVersion((sql) => database.all(sql));
  // Behind the version: who reads that waits for whoever marks the store.
  if (!isFilling && (await isMarked(database))) throw notFilled();
  if (isReader && stored === undefined)
    throw new ProxyError('store_unavailable', 'The store is empty: no gateway has used it yet.');
  const next = nextMigration(stored, migrations);
  if (next === undefined) return;
  // Both versions are served: who may not take the step leaves it to who may.
  if (next.waits === true && (isReader || !(await isOwner(database)))) return;
  if (isReader)
    throw new ProxyError(
      'store_unavailable',
      'The store has an older schema than this program; start a gateway of this version with it once.',
    );
  await runMissing(database, migrations, pauseMs);
}

async function runMissing(
  database: PostgresDatabase,
  migrations: readonly Migration[],
  pauseMs: number,
): Promise<void> {
  let readTries = 0;
  const untilMs = performance.now() + defaultLimits.storeMigrationTimeoutMs;
  for (;;) {
    const outcome = await migrateOnce(database, migrations).catch(readWhereLocked);
    if (outcome === 'done') return;
    if (outcome === 'more') {
      readTries = 0;
      continue;
    }
    if (outcome === 'read') {
      readTries += 1;
      // What is left to do is told of an audit that is one table still (postgres-audit-days.ts), and a later start does it.
      const next = nextMigration(await readVersion((sql) => database.all(sql)), migrations);
      if (readTries >= waitingTries && next?.waits === true) return;
    }
    if (performance.now() > untilMs)
      throw new ProxyError(
        'store_unavailable',
        outcome === 'read'
          ? 'Others read the store for too long while it is migrated: a backup or a search holds its tables.'
          : 'Another program migrates the store for too long.',
      );
    // Asked again and again: who waits within the database can deadlock with what builds an index beside others.
    await wait(outcome === 'read' ? pauseMs : lockRetryMs);
  }
}

function migrateOnce(
  database: PostgresDatabase,
  migrations: readonly Migration[],
): Promise<'done' | 'more' | 'busy'> {
  return database.script(defaultLimits.storeMigrationTimeoutMs, async (run) => {
    const lock = await run('SELECT pg_try_advisory_xact_lock($1, $2) AS got', [lockClasses.migration, 0]);
    if (lock.rows[0]?.['got'] !== true) return 'busy';
    const next = nextMigration(await readVersion(async (sql) => (await run(sql)).rows), migrations);
    if (next === undefined) return 'done';
    const { version, servesFrom, script, waits } = next;
    if (waits === true && (await hasOlderGateway(run, servesFrom))) return 'done';
    await run(
      `CREATE TABLE IF NOT EXISTS schema_version (version integer NOT NULL, serves_from integer NOT NULL)`,
    );
    await run(script);
    await run('DELETE FROM schema_version');
    await run('INSERT INTO schema_version (version, serves_from) VALUES ($1, $2)', [version, servesFrom]);
    return 'more';
  });
}

/** Who reads the table that a step changes is waited for a moment at a time: those who come behind wait too. */
function readWhereLocked(error: unknown): 'read' {
  if (error instanceof ProxyError && isLockTimeout(error.cause)) return 'read';
  throw error;
}

/** One that serves, and whose program knows less than that version. */
async function hasOlderGateway(run: ScriptRun, version: number): Promise<boolean> {
  const { rows } = await run(
    `SELECT 1 AS found FROM gateway
     WHERE lease_until > clock_timestamp() AND state <> 'left' AND coalesce(schema_known, 0) < $1 LIMIT 1`,
    [version],
  );
  return rows.length > 0;
}

async function isOwner(database: PostgresDatabase): Promise<boolean> {
  const [row] = await database.all(
    `SELECT pg_has_role(current_user, relowner, 'USAGE') AS owns FROM pg_catalog.pg_class WHERE oid = 'audit'::regclass`,
  );
  return row?.['owns'] === true;
}

async function checkServer(database: PostgresDatabase, isReader: boolean): Promise<void> {
  const [row = {}] = await database.all(
    `SELECT current_setting('server_version_num')::integer AS version, current_setting('server_encoding') AS encoding,
       pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS is_read_only,
       current_schema() AS schema`,
  );
  const version = Math.floor(integerOf(row, 'version') / 10_000);
  if (version < serverVersionMin)
    throw unusable(database, `it is PostgreSQL ${version}; this program needs ${serverVersionMin} or newer`);
  if (row['encoding'] !== 'UTF8')
    throw unusable(database, `its encoding is ${String(row['encoding'])}; create it with ENCODING 'UTF8'`);
  if (row['schema'] === null)
    throw unusable(database, 'no schema of its search_path is there; create one that this role may use');
  if (row['is_read_only'] === true && !isReader)
    throw unusable(
      database,
      'it is read-only; a gateway needs the primary, and a database that was not set read-only',
    );
}

async function isMarked(database: PostgresDatabase): Promise<boolean> {
  const [row] = await database.all(`SELECT to_regclass('${fillingTable}') IS NOT NULL AS found`);
  return row?.['found'] === true;
}

function unusable({ label }: PostgresDatabase, why: string): ProxyError {
  return new ProxyError('store_unavailable', `The store ${label} cannot be opened: ${why}.`);
}

/** What the schema says of itself; undefined if there is nothing in it. */
async function readVersion(all: All): Promise<SchemaVersion | undefined> {
  const tables = await all(
    `SELECT relname AS name FROM pg_catalog.pg_class
     JOIN pg_catalog.pg_namespace AS place ON place.oid = relnamespace
     WHERE nspname = current_schema() AND relkind IN ('r', 'p')`,
  );
  if (!tables.some(({ name }) => name === 'schema_version')) {
    if (tables.length > 0) throw foreign();
    return undefined;
  }
  const rows = await all('SELECT version, serves_from FROM schema_version');
  const [row] = rows;
  if (row === undefined || rows.length > 1) throw foreign();
  return { version: integerOf(row, 'version'), servesFrom: integerOf(row, 'serves_from') };
}

function foreign(): ProxyError {
  return new ProxyError(
    'store_unavailable',
    'The store holds something else than the state of a gateway: it has tables, but not one line with their version. Use another database or schema.',
  );
}
