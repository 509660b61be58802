// A store as a file, and back into an empty store of either engine.

import { existsSync } from 'node:fs';
import { ProxyError } from '../protocol/error.ts';
import type { StoreAccess } from './open-store.ts';
import { AssertedRows, type AssertedAgain, type LaterFacts } from './portable/assert-again.ts';
import { BackupFile, writeBackup } from './portable/backup-file.ts';
import { portableTables } from './portable/portable-tables.ts';
import { countedSource, type RowProgress } from './portable/row-progress.ts';
import { checkFilled, RowSums, type StoreFill, type TableSums } from './portable/store-rows.ts';
import { postgresAddress } from './postgres/postgres-address.ts';
import { PostgresDatabase } from './postgres/postgres-database.ts';
import { migrate as migratePostgres } from './postgres/postgres-migrate.ts';
import { fillPostgres } from './postgres/postgres-fill.ts';
import { readPostgres } from './postgres/postgres-rows.ts';
import { SqliteDatabase } from './sqlite/sqlite-database.ts';
import { migrate as migrateSqlite, requireFilled, requireMigrated } from './sqlite/sqlite-migrate.ts';
import { movedError, moveMarkOf } from './sqlite/sqlite-moved.ts';
import { beginRead, endRead, fillSqlite } from './sqlite/sqlite-rows.ts';

export interface BackupPlace {
  /** URL of the store. */
  readonly store: string;
  readonly access?: StoreAccess;
  /** Path of the backup. */
  readonly file: string;
  readonly nowMs: number;
  readonly onProgress?: (progress: RowProgress) => void;
}

/** Writes the store into a new file, as it is at one moment, whoever uses it meanwhile. Throws ProxyError `config_invalid` or `store_unavailable`. */
export async function backUpStore(place: BackupPlace): Promise<TableSums> {
  const { file, nowMs, onProgress, access = {} } = place;
  const sums = new RowSums();
  const path = sqlitePath(place.store);
  if (path === undefined) {
    await using database = new PostgresDatabase(postgresAddress(place.store), access);
    await migratePostgres(database, { isReader: true });
    await readPostgres(database, (source) =>
      writeBackup(file, countedSource(source, sums, onProgress), nowMs),
    );
    return sums.sums;
  }
  if (!existsSync(path)) throw new ProxyError('config_invalid', `there is no store ${path}`);
  using database = await SqliteDatabase.open(path, 'full');
  // A backup before an upgrade is of the store before it.
  if (moveMarkOf(database) === undefined) requireMigrated(database);
  requireFilled(database);
  const source = beginRead(database);
  await writeBackup(file, countedSource(source, sums, onProgress), nowMs);
  endRead(database);
  return sums.sums;
}

export interface Restored {
  readonly madeMs: number;
  readonly sums: TableSums;
  readonly asserted: AssertedAgain;
}

/**
 * Brings the backup back into an empty store, with what is known of later, in one transaction, and nobody opens the store before it is committed: a file that is cut or damaged, and a store that is
 * not empty, are refused before anything is written, as is what `checkHead` throws for. Throws ProxyError `config_invalid` or `store_unavailable`.
 */
export async function restoreStore(
  place: BackupPlace,
  facts: LaterFacts,
  checkHead: (head: { readonly madeMs: number }) => void = () => undefined,
): Promise<Restored> {
  const { file, onProgress, access = {} } = place;
  await using backup = await BackupFile.open(file);
  checkHead(backup.head);
  const sums = new RowSums();
  const rows = new AssertedRows(backup.source(), facts);
  const path = sqlitePath(place.store);
  const ignored = new Set(
    portableTables.filter(({ only }) => only !== undefined && path !== undefined).map(({ name }) => name),
  );
  const fill: StoreFill = {
    begin: () => countedSource(rows, sums, onProgress),
    check: (read) => checkFilled({ sums: sums.sums, numbers: rows.numbers }, read, ignored),
  };
  if (path === undefined) {
    await using database = new PostgresDatabase(postgresAddress(place.store), access);
    await migratePostgres(database, { isFilling: true });
    await fillPostgres(database, fill);
  } else {
    using database = await SqliteDatabase.open(path, 'full');
    const mark = moveMarkOf(database);
    if (mark !== undefined) throw movedError(path, mark);
    migrateSqlite(database);
    await fillSqlite(database, fill);
  }
  return { madeMs: backup.head.madeMs, sums: sums.sums, asserted: rows.counts };
}

function sqlitePath(url: string): string | undefined {
  return /^sqlite:(.+)$/s.exec(url)?.[1];
}
