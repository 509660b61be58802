// The audit as JSON lines in a file, which may be rotated under us.

import { constants } from 'node:fs';
import { lstat, mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';

/** Appends bytes to a file of mode 0600; a file that was renamed or removed is opened anew. */
export class AuditFile implements AsyncDisposable {
  readonly #path: string;
  #file: FileHandle | undefined;
  #inode: bigint | undefined;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Throws ProxyError `audit_unavailable` if the file cannot be opened or others may read it. */
  static async open(path: string): Promise<AuditFile> {
    const file = new AuditFile(path);
    await file.#makeFolder();
    await file.#reopen();
    return file;
  }

  /** One write; gives how many bytes were taken, which may be fewer. */
  async write(bytes: Uint8Array): Promise<number> {
    const file = (await this.#isCurrent()) ? this.#file : await this.#reopen();
    if (file === undefined) throw this.#error('it is closed');
    const { bytesWritten } = await file.write(bytes);
    return bytesWritten;
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #isCurrent(): Promise<boolean> {
    const status = await lstat(this.#path, { bigint: true }).catch(() => undefined);
    return this.#file !== undefined && status?.ino === this.#inode;
  }

  /** For the owner alone, as the state folder is; one that is there stays as it is. */
  async #makeFolder(): Promise<void> {
    try {
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    } catch (error) {
      throw this.#error(`its folder cannot be made: ${faultReason(error)}`, error);
    }
  }

  async #reopen(): Promise<FileHandle> {
    await this.close();
    const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants;
    let file: FileHandle | undefined;
    try {
      file = await open(this.#path, O_APPEND | O_CREAT | O_NOFOLLOW | O_WRONLY, 0o600);
      const status = await file.stat({ bigint: true });
      if (!status.isFile()) throw this.#error('it is not a regular file');
      if ((status.mode & 0o077n) !== 0n) throw this.#error('others may use it; make it mode 600');
      this.#inode = status.ino;
      this.#file = file;
      return file;
    } catch (error) {
      await file?.close();
      if (error instanceof ProxyError) throw error;
      throw this.#error(faultReason(error), error);
    }
  }

  #error(why: string, cause?: unknown): ProxyError {
    return new ProxyError('audit_unavailable', `The audit file ${this.#path} cannot be written: ${why}.`, {
      cause,
    });
  }
}
