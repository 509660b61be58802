// The cache on disk, which is all of it: objects are named by the hash of what is in them, entries by the hash of what they are for. Nothing
// has its name before it is whole, so what a killed process leaves is a temporary file. Several processes may use one folder.

import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm, statfs, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { ProcessHolders } from '../../store/process-holders.ts';
import { makePrivateFolder } from '../../system/private-folder.ts';
import { type CacheEntry, encodeEntry, entryName, readEntry } from './cache-entry.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = constants;
const hashForm = /^[0-9a-f]{64}$/;
const groupForm = /^[0-9a-f]{2}$/;

/** What a file takes of a disk is counted in such blocks. */
const blockBytes = 4096;
export const blocksOf = (bytes: number): number => Math.ceil(bytes / blockBytes) * blockBytes;

export interface CachedFile {
  readonly kind: 'object' | 'entry';
  /** Of an object the hash of what is in it. */
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  readonly usedMs: number;
}

/** What the file system of the folder has. */
export interface Disk {
  readonly bytes: number;
  /** For those that are not its administrator. */
  readonly freeBytes: number;
}

export interface OpenObject {
  readonly handle: FileHandle;
  /** When it was used the last time, as far as that was noted. */
  readonly usedMs: number;
}

export interface TemporaryObject {
  readonly path: string;
  readonly handle: FileHandle;
}

export class CacheFolder {
  readonly #path: string;
  readonly #holders: ProcessHolders;
  #temporary: string | undefined;
  #count = 0;

  private constructor(path: string) {
    this.#path = path;
    this.#holders = new ProcessHolders(join(path, 'process'));
  }

  /** Made if it is missing. @throws ProxyError config_invalid if it is not this user's alone */
  static async open(path: string): Promise<CacheFolder> {
    const options = {
      mayBeThere: true,
      fault: (reason: string, cause?: unknown) =>
        new ProxyError('config_invalid', `the cache ${path} cannot be used: ${reason}`, { cause }),
    };
    for (const name of ['', 'objects', 'entries', 'temporary'])
      await makePrivateFolder(join(path, name), options);
    return new CacheFolder(path);
  }

  /** Undefined where none was made. @throws ProxyError config_invalid if it is not this user's alone */
  static async existing(path: string): Promise<CacheFolder | undefined> {
    const status = await lstat(path).catch(absent);
    return status === undefined ? undefined : await CacheFolder.open(path);
  }

  /** Undefined where there is none that can be read. */
  async entry(key: string): Promise<CacheEntry | undefined> {
    const text = await readBounded(this.#entryPath(key));
    const entry = text === undefined ? undefined : readEntry(text);
    return entry?.key === key ? entry : undefined;
  }

  /** What the entry is about, open; undefined where it has left, or is not as long as it was. */
  async object({ sha256, bytes }: Pick<CacheEntry, 'sha256' | 'bytes'>): Promise<OpenObject | undefined> {
    const handle = await openFile(this.objectPath(sha256));
    if (handle === undefined) return undefined;
    const status = await handle.stat();
    if (status.isFile() && status.size === bytes) return { handle, usedMs: status.mtimeMs };
    await handle.close();
    return undefined;
  }

  /** It was used: what was not for the longest leaves first. */
  async used(entry: Pick<CacheEntry, 'key' | 'sha256'>, nowMs: number): Promise<void> {
    const at = nowMs / 1000;
    for (const path of [this.#entryPath(entry.key), this.objectPath(entry.sha256)])
      await utimes(path, at, at).catch(absent);
  }

  /** A new file for what comes, of this process. */
  async temporary(): Promise<TemporaryObject> {
    const folder = (this.#temporary ??= join(this.#path, 'temporary', this.#holders.own()));
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, String(this.#count++));
    return { path, handle: await open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600) };
  }

  /** Gives what came its names. It must be whole, and what was promised. */
  async keep({ path, handle }: TemporaryObject, entry: CacheEntry): Promise<void> {
    // A name that outlives a loss of power must not lead to what does not.
    await handle.datasync();
    await named(path, this.objectPath(entry.sha256));
    await this.keepEntry(entry);
  }

  /** What is said of an object that is there. */
  async keepEntry(entry: CacheEntry): Promise<void> {
    const { path: aside, handle: written } = await this.temporary();
    try {
      await written.writeFile(encodeEntry(entry));
      await named(aside, this.#entryPath(entry.key));
    } catch (error) {
      await rm(aside, { force: true });
      throw error;
    } finally {
      await written.close();
    }
  }

  /** What cannot be used is found by nobody any more. */
  async forget({ key, sha256 }: Pick<CacheEntry, 'key' | 'sha256'>): Promise<void> {
    await rm(this.#entryPath(key), { force: true });
    await rm(this.objectPath(sha256), { force: true });
  }

  /** All that is there now. What comes or leaves meanwhile may be among it or not. */
  async *files(): AsyncGenerator<CachedFile> {
    for (const [folder, kind] of [
      ['objects', 'object'],
      ['entries', 'entry'],
    ] as const)
      for (const group of await readdir(join(this.#path, folder)))
        if (groupForm.test(group)) yield* this.#filesOf(join(this.#path, folder, group), kind);
  }

  async *#filesOf(folder: string, kind: CachedFile['kind']): AsyncGenerator<CachedFile> {
    for (const name of (await readdir(folder).catch(absent)) ?? []) {
      if (!hashForm.test(name)) continue;
      const path = join(folder, name);
      const status = await lstat(path).catch(absent);
      if (status?.isFile() === true) yield { kind, name, path, bytes: status.size, usedMs: status.mtimeMs };
    }
  }

  /** The entry in that file; undefined for what is none, or stands at another key's place. */
  async entryIn({ path, name }: Pick<CachedFile, 'path' | 'name'>): Promise<CacheEntry | undefined> {
    const text = await readBounded(path);
    const entry = text === undefined ? undefined : readEntry(text);
    return entry !== undefined && entryName(entry.key) === name ? entry : undefined;
  }

  async disk(): Promise<Disk> {
    const { bsize, blocks, bavail } = await statfs(this.#path);
    // Some say nothing, and a tmpfs may have no bound.
    return blocks === 0
      ? { bytes: Infinity, freeBytes: Infinity }
      : { bytes: bsize * blocks, freeBytes: bsize * bavail };
  }

  /** Removes what processes left that are gone. */
  async sweep(): Promise<void> {
    const folder = join(this.#path, 'temporary');
    for (const id of await readdir(folder))
      if (this.#holders.hasEnded(id)) await rm(join(folder, id), { recursive: true, force: true });
    this.#holders.sweep();
  }

  objectPath(sha256: string): string {
    return join(this.#path, 'objects', sha256.slice(0, 2), sha256);
  }

  #entryPath(key: string): string {
    const name = entryName(key);
    return join(this.#path, 'entries', name.slice(0, 2), name);
  }

  async close(): Promise<void> {
    if (this.#temporary !== undefined) await rm(this.#temporary, { recursive: true, force: true });
    this.#holders.close();
  }
}

export async function writeFully(handle: FileHandle, octets: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < octets.byteLength;) {
    const { bytesWritten } = await handle.write(octets, at, octets.byteLength - at, position + at);
    at += bytesWritten;
  }
}

async function named(from: string, to: string): Promise<void> {
  await rename(from, to).catch(async (error: unknown) => {
    if (!hasCode(error, 'ENOENT')) throw error;
    await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    await rename(from, to);
  });
}

async function openFile(path: string): Promise<FileHandle | undefined> {
  return await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(absent);
}

async function readBounded(path: string): Promise<string | undefined> {
  await using handle = await openFile(path);
  if (handle === undefined) return undefined;
  const status = await handle.stat();
  return status.isFile() && status.size <= defaultLimits.cacheEntryBytesMax
    ? await handle.readFile('utf8')
    : undefined;
}

/** Another process may have removed it. */
function absent(error: unknown): undefined {
  if (hasCode(error, 'ENOENT', 'ELOOP')) return undefined;
  throw error;
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException).code ?? '');
}

export const isFullDisk = (error: unknown): boolean =>
  ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
