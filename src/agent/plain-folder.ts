// A folder that is reached without following a link, and held open: what is done in it is done in this one, whatever is
// put in its place meanwhile.

import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;

export class PlainFolder implements AsyncDisposable {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** `path` is absolute and has no link in it (`realpath`); throws ENOENT, ENOTDIR or ELOOP as open(2) does. */
  static async open(path: string): Promise<PlainFolder> {
    let folder = new PlainFolder(await open('/', O_RDONLY | O_DIRECTORY));
    for (const name of path.split('/').filter(Boolean)) {
      await using parent = folder;
      folder = await parent.#open(name);
    }
    return folder;
  }

  /** The entry of that name, for operations of node:fs that do not follow it. */
  entry(name: string): string {
    // As the *at calls of POSIX, which Node does not have.
    return join('/proc/self/fd', String(this.#handle.fd), name);
  }

  /** Undefined if it is a link, or no folder. Throws ENOENT if nothing is there. */
  async openFolder(name: string): Promise<PlainFolder | undefined> {
    try {
      return await this.#open(name);
    } catch (error) {
      // Of a link to a folder the kernel says either.
      if (hasCode(error, 'ENOTDIR', 'ELOOP')) return undefined;
      throw error;
    }
  }

  /** The content of a regular file; undefined for a link and for anything else. Throws ENOENT if nothing is there. */
  async readFile(name: string): Promise<Buffer | undefined> {
    try {
      // A pipe at this name must not be waited for.
      await using file = await open(this.entry(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      return (await file.stat()).isFile() ? await file.readFile() : undefined;
    } catch (error) {
      // ENXIO: a socket.
      if (hasCode(error, 'ELOOP', 'ENXIO')) return undefined;
      throw error;
    }
  }

  async #open(name: string): Promise<PlainFolder> {
    return new PlainFolder(await open(this.entry(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException).code ?? '');
}
