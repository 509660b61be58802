// One SQLite connection: opening it safely, transactions, and errors as ours.

import { closeSync, constants, fchmodSync, lstatSync, mkdirSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { faultReason } from '../../protocol/fault-reason.ts';

const walRetryDelayMs = 20;

export type Row = Readonly<Record<string, SQLOutputValue>>;
type Parameters = Readonly<Record<string, SQLInputValue>>;

/** A connection whose every failure is ProxyError `store_unavailable`. */
export class SqliteDatabase implements Disposable {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #path: string;

  private constructor(path: string, database: DatabaseSync) {
    this.#path = path;
    this.#database = database;
  }

  /**
   * `full` makes each transaction survive a power cut (a consumed token must stay consumed);
   * `normal` makes it survive a crash of the process, at no fsync a transaction.
   */
  static async open(path: string, durability: 'full' | 'normal'): Promise<SqliteDatabase> {
    if (path !== ':memory:') prepareFile(path);
    try {
      const database = new DatabaseSync(path, {
        timeout: defaultLimits.storeBusyTimeoutMs,
        enableForeignKeyConstraints: true,
      });
      try {
        await useWal(database);
        database.exec(
          `PRAGMA synchronous = ${durability}; PRAGMA wal_autocheckpoint = ${defaultLimits.storeLogPagesMax};
           PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON`,
        );
      } catch (error) {
        database.close();
        throw error;
      }
      return new SqliteDatabase(path, database);
    } catch (error) {
      throw storeError(path, 'opened', error);
    }
  }

  get(sql: string, parameters: Parameters = {}): Row | undefined {
    return this.#attempt('read', () => this.#statement(sql).get(parameters));
  }

  all(sql: string, parameters: Parameters = {}): readonly Row[] {
    return this.#attempt('read', () => this.#statement(sql).all(parameters));
  }

  /** Rows one after the other, none kept; nothing else may be asked by the same text meanwhile. */
  *rows(sql: string): Generator<Row> {
    try {
      yield* this.#statement(sql).iterate();
    } catch (error) {
      throw storeError(this.#path, 'read', error);
    }
  }

  /** Gives how many rows changed. */
  run(sql: string, parameters: Parameters = {}): number {
    return this.#attempt('written', () => Number(this.#statement(sql).run(parameters).changes));
  }

  /** Inserts rows, their values in order. Gives how many, and the row id of the last. */
  insert(sql: string, values: readonly SQLInputValue[]): { readonly count: number; readonly last: number } {
    return this.#attempt('written', () => {
      const { changes, lastInsertRowid } = this.#statement(sql).run(...values);
      return { count: Number(changes), last: Number(lastInsertRowid) };
    });
  }

  /** Several statements without parameters, as migrations are. */
  script(sql: string): void {
    this.#attempt('written', () => this.#database.exec(sql));
  }

  /** Runs `body`, which must not wait for anything, in one write transaction; a throw undoes it all. */
  transaction<T>(body: () => T): T {
    // IMMEDIATE: what is read inside is still true when it is written.
    this.#attempt('written', () => this.#database.exec('BEGIN IMMEDIATE'));
    try {
      const result = body();
      this.#attempt('written', () => this.#database.exec('COMMIT'));
      return result;
    } catch (error) {
      this.undo();
      throw error;
    }
  }

  /** Undoes the transaction, if there is one. */
  undo(): void {
    // A failed statement may already have ended the transaction (a full disk does), and then there is nothing to undo.
    if (this.#database.isOpen && this.#database.isTransaction) {
      this.#attempt('written', () => this.#database.exec('ROLLBACK'));
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  close(): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      // The SQL texts are constants of this folder, so the map is bounded by the code.
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #attempt<T>(verb: string, action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw storeError(this.#path, verb, error);
    }
  }
}

/** A reader never waits for a writer in WAL. Changing to it ignores the busy timeout, hence the attempts. */
async function useWal(database: DatabaseSync): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const mode = database.prepare('PRAGMA journal_mode').get()?.['journal_mode'];
      if (mode !== 'wal' && mode !== 'memory') database.exec('PRAGMA journal_mode = WAL');
      return;
    } catch (error) {
      if (!isBusy(error) || attempt * walRetryDelayMs >= defaultLimits.storeBusyTimeoutMs) throw error;
      await wait(walRetryDelayMs);
    }
  }
}

/** SQLITE_BUSY, with any extension in its upper bits. */
function isBusy(error: unknown): boolean {
  return (
    error instanceof Error &&
    'errcode' in error &&
    typeof error.errcode === 'number' &&
    (error.errcode & 0xff) === 5
  );
}

function storeError(path: string, verb: string, error: unknown): ProxyError {
  if (error instanceof ProxyError) return error;
  const why = faultReason(error);
  return new ProxyError('store_unavailable', `The store ${path} cannot be ${verb}: ${why}.`, {
    cause: error,
  });
}

/** Makes folder and file for the owner alone, or checks that they are. SQLite gives `-wal` and `-shm` the file's mode. */
function prepareFile(path: string): void {
  const folder = dirname(resolve(path));
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    assertOwnFolder(folder);
    createExclusively(path);
    assertOwnFile(path);
  } catch (error) {
    throw storeError(path, 'opened', error);
  }
}

function createExclusively(path: string): void {
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = constants;
  try {
    const descriptor = openSync(path, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR, 0o600);
    fchmodSync(descriptor, 0o600);
    closeSync(descriptor);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

function assertOwnFolder(folder: string): void {
  const { mode, uid } = lstatSync(folder);
  if ((mode & 0o022) !== 0 || (uid !== ownUid() && uid !== 0)) {
    throw new ProxyError(
      'store_unavailable',
      `The folder ${folder} can be written by others, who could replace the store; use a folder of mode 700 of your own, such as one below it.`,
    );
  }
}

function assertOwnFile(path: string): void {
  const status = lstatSync(path);
  if (!status.isFile() || (status.mode & 0o077) !== 0 || status.uid !== ownUid()) {
    throw new ProxyError(
      'store_unavailable',
      `The store ${path} must be a regular file of your own with mode 600; move it away or correct it.`,
    );
  }
}

function ownUid(): number {
  return process.geteuid?.() ?? 0;
}
