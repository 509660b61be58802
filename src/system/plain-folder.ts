// A folder that is reached without following a link, and held open: what is done in it is done in this one, whatever is
// put in its place meanwhile.

import { constants, existsSync } from 'node:fs';
import { chmod, type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;
/** By a folder that may be gone through but not listed, such as a closed /home, the way leads on. Node gives it no name. */
const O_PATH = process.platform === 'linux' ? 0o10_000_000 : O_RDONLY;
const asFolder = O_PATH | O_DIRECTORY | O_NOFOLLOW;

export class PlainFolder implements AsyncDisposable {
  readonly #handle: FileHandle;
  /** As the *at calls of POSIX, which Node does not have. Where there is no such folder: by its path, and no more than that. */
  readonly #base: string;

  private constructor(handle: FileHandle, path: string) {
    this.#handle = handle;
    const base = `/proc/self/fd/${handle.fd}`;
    this.#base = existsSync(base) ? base : path;
  }

  /** `path` is absolute and has no link in it (`realpath`); throws ENOENT, ENOTDIR or ELOOP as open(2) does. */
  static async open(path: string): Promise<PlainFolder> {
    let folder = new PlainFolder(await open('/', asFolder), '/');
    for (const name of path.split('/').filter(Boolean)) {
      await using parent = folder;
      folder = await parent.#open(name);
    }
    return folder;
  }

  /** The entry of that name, for operations of node:fs that do not follow it. */
  entry(name: string): string {
    return join(this.#base, name);
  }

  /** Makes the folder if it is missing, and gives it that mode; undefined if something else has the name. */
  async makeFolder(name: string, mode: number): Promise<PlainFolder | undefined> {
    await mkdir(this.entry(name), { mode }).catch((error: unknown) => {
      if (!hasCode(error, 'EEXIST')) throw error;
    });
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await this.openFolder(name));
    // The umask may have taken rights.
    if (folder !== undefined) await chmod(folder.entry('.'), mode);
    stack.move();
    return folder;
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
    const path = this.entry(name);
    return new PlainFolder(await open(path, asFolder), path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException).code ?? '');
}
