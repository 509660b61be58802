// Moves the state of a SQLite file into an empty PostgreSQL database: the database is marked, so that nobody takes it for a new store, then the
// file, so that nobody writes it any more; then all is copied in one transaction, and the database is usable once what is read from it is what was read from the file.

import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { ProxyError } from '../protocol/error.ts';
import type { StoreAccess } from './open-store.ts';
import { countedSource, type RowProgress } from './portable/row-progress.ts';
import { checkFilled, RowSums, type StoreNumbers, type TableSums } from './portable/store-rows.ts';
import { postgresAddress, postgresLabel } from './postgres/postgres-address.ts';
import { PostgresDatabase } from './postgres/postgres-database.ts';
import { migrate as migratePostgres } from './postgres/postgres-migrate.ts';
import { fillPostgres } from './postgres/postgres-fill.ts';
import { SqliteDatabase } from './sqlite/sqlite-database.ts';
import { migrate as migrateSqlite, requireFilled } from './sqlite/sqlite-migrate.ts';
import { markMoved, type MoveMark, movedError, moveMarkOf } from './sqlite/sqlite-moved.ts';
import { beginRead, endRead } from './sqlite/sqlite-rows.ts';

export interface StoreMove {
  /** Path of the SQLite file. */
  readonly from: string;
  /** URL of the database. */
  readonly to: string;
  readonly access?: StoreAccess;
  readonly nowMs: number;
  readonly onProgress?: (progress: RowProgress) => void;
}

export type MoveOutcome =
  | { readonly kind: 'moved'; readonly sums: TableSums; readonly numbers: StoreNumbers }
  /** An earlier call has done it. */
  | { readonly kind: 'already' };

/** What was cut off is begun anew by another call. Throws ProxyError `config_invalid` or `store_unavailable`. */
export async function moveStore(move: StoreMove): Promise<MoveOutcome> {
  const { from, access = {} } = move;
  if (from === ':memory:' || !existsSync(from))
    throw new ProxyError('config_invalid', `there is no store ${from}`);
  const address = postgresAddress(move.to);
  const label = postgresLabel(address);
  await using stack = new AsyncDisposableStack();
  const file = stack.use(await SqliteDatabase.open(from, 'full'));
  const earlier = moveMarkOf(file);
  if (earlier !== undefined && earlier.to !== label) throw movedError(from, earlier);
  if (earlier === undefined) migrateSqlite(file);
  requireFilled(file);
  const database = stack.use(new PostgresDatabase(address, access));
  await migratePostgres(database, { isFilling: true });
  const mark = earlier ?? { id: randomUUID(), to: label, atMs: move.nowMs };
  return await copy(move, { file, database, mark });
}

async function copy(
  { from, onProgress }: StoreMove,
  parts: { readonly file: SqliteDatabase; readonly database: PostgresDatabase; readonly mark: MoveMark },
): Promise<MoveOutcome> {
  const { file, database, mark } = parts;
  const sums = new RowSums();
  let done: Extract<MoveOutcome, { readonly kind: 'moved' }> | undefined;
  let numbers: StoreNumbers | undefined;
  const outcome = await fillPostgres(
    database,
    {
      begin: () => {
        // Two copies of one file would be two truths.
        const held = markMoved(file, mark);
        if (held.id !== mark.id) throw movedError(from, held);
        const source = beginRead(file);
        ({ numbers } = source);
        return countedSource(source, sums, onProgress);
      },
      check: async (read) => {
        endRead(file);
        if (numbers === undefined) return;
        done = { kind: 'moved', sums: sums.sums, numbers };
        await checkFilled(done, read);
      },
    },
    mark.id,
  );
  return outcome === 'already' || done === undefined ? { kind: 'already' } : done;
}
