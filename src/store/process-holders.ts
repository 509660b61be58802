// Tells whether the process that left something in a store or a folder still runs: it holds the lock of a small database beside that,
// which the kernel gives back with the process, however that ends and in whatever container it ran.

import { randomUUID } from 'node:crypto';
import { closeSync, constants, lstatSync, openSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { asProxyError, ProxyError } from '../protocol/error.ts';
import { defaultLimits } from '../protocol/limits.ts';

const idForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The holders of one place: this process's own, made when it is first asked for, and those of others. */
export class ProcessHolders {
  /** Up to the id of a holder. */
  readonly #prefix: string;
  #own: { readonly id: string; readonly lock: DatabaseSync } | undefined;

  /** Their files are beside this path. */
  constructor(path: string) {
    this.#prefix = `${resolve(path)}-holder-`;
  }

  /** The id under which this process leaves things. Throws ProxyError `store_unavailable` if its file cannot be made or locked. */
  own(): string {
    try {
      return (this.#own ??= this.#hold()).id;
    } catch (error) {
      throw this.#unusable('made', error);
    }
  }

  /** Whether the process of that id is gone. */
  hasEnded(id: string): boolean {
    if (id === this.#own?.id) return false;
    // An id that is none of ours names no file.
    if (!idForm.test(id)) return true;
    const path = this.#prefix + id;
    if (!isOwnFile(path)) return true;
    const lock = tryLock(path, 0);
    lock?.close();
    return lock !== undefined;
  }

  /** Removes the files of processes that are gone. Throws ProxyError `store_unavailable`. */
  sweep(): void {
    try {
      this.#sweep();
    } catch (error) {
      throw this.#unusable('removed', error);
    }
  }

  /** Gives the own id up. Closing twice is harmless. */
  close(): void {
    const own = this.#own;
    this.#own = undefined;
    if (own === undefined) return;
    rmSync(this.#prefix + own.id, { force: true });
    own.lock.close();
  }

  #sweep(): void {
    const start = basename(this.#prefix);
    for (const name of readdirSync(dirname(this.#prefix))) {
      const id = name.slice(start.length);
      if (!name.startsWith(start) || !idForm.test(id) || id === this.#own?.id) continue;
      const path = this.#prefix + id;
      const lock = isOwnFile(path) ? tryLock(path, 0) : undefined;
      if (lock === undefined) continue;
      // While it is locked: whoever made it and waits for the lock then sees that it is gone, and makes another.
      rmSync(path, { force: true });
      lock.close();
    }
  }

  #hold(): { readonly id: string; readonly lock: DatabaseSync } {
    const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = constants;
    for (let attempt = 1; attempt <= defaultLimits.storeHoldAttemptsMax; attempt += 1) {
      const id = randomUUID();
      const path = this.#prefix + id;
      closeSync(openSync(path, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR, 0o600));
      const lock = tryLock(path, defaultLimits.storeLockTimeoutMs);
      if (lock !== undefined && isOwnFile(path)) return { id, lock };
      lock?.close();
    }
    throw new Error('other processes removed it');
  }

  #unusable(verb: string, error: unknown): ProxyError {
    const { message } = asProxyError(error, 'store_unavailable');
    return new ProxyError('store_unavailable', `A file ${this.#prefix}… cannot be ${verb}: ${message}.`, {
      cause: error,
    });
  }
}

function isOwnFile(path: string): boolean {
  const status = lstatSync(path, { throwIfNoEntry: false });
  return status?.isFile() === true && status.nlink === 1;
}

/** The database with its lock, which it keeps until it is closed; undefined if another process has it. */
function tryLock(path: string, timeoutMs: number): DatabaseSync | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: timeoutMs });
    // In a database without a write-ahead log this locks the file itself, and nothing is ever written.
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch {
    // Held, or not to be told: then it counts as held, and what it left stays.
    database?.close();
    return undefined;
  }
}
