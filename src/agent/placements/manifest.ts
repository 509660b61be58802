// The manifest of one session: what it has placed, in a file whose lock it holds as long as it runs.

import { defaultLimits } from '../../protocol/limits.ts';
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize } from 'node:path';
import { ProxyError } from '../../protocol/error.ts';
import { isStill, type LockState, tryLock } from './file-lock.ts';
import { type Owner, ownOwner } from './owner.ts';
import { holdsManifests, manifestsIn } from './manifest-folder.ts';
import type { Placement } from './placement.ts';
import { faultReason } from '../../protocol/fault-reason.ts';

interface Manifest {
  readonly version: 1;
  readonly owner: Owner;
  readonly placements: readonly Placement[];
}

/** Writes the manifest of this process. Disposing lets go of its lock. */
export class ManifestWriter implements AsyncDisposable {
  readonly #path: string;
  readonly #owner = ownOwner();
  #locked: FileHandle | undefined;

  constructor(directory: string) {
    this.#path = join(directory, `placed-${randomBytes(8).toString('hex')}.json`);
  }

  /** Puts it in the place of the one before, as a whole; `durable` is to survive a loss of power. */
  async write(placements: readonly Placement[], durable: boolean): Promise<void> {
    // Locked before it has its name, so that nobody finds it without.
    const file = await writeInPlace(this.#path, durable, (locks) => {
      const manifest: Manifest = { version: 1, owner: { ...this.#owner, locks }, placements };
      return JSON.stringify(manifest);
    });
    await this.#locked?.close();
    this.#locked = file;
  }

  async remove(): Promise<void> {
    await unlink(this.#path).catch(ignoreMissing);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#locked?.close();
    this.#locked = undefined;
  }
}

/** A manifest that was found, with the lock as this process got it; it is held until this is disposed. */
export interface FoundManifest extends AsyncDisposable {
  readonly owner: Owner;
  readonly placements: readonly Placement[];
  readonly lock: LockState;
  /** Leaves these in it; removes it if there are none. */
  keep(placements: readonly Placement[]): Promise<void>;
}

/** Undefined for what is not a whole manifest of this user, closed to others and still in its place. */
export async function findManifest(path: string): Promise<FoundManifest | undefined> {
  await using stack = new AsyncDisposableStack();
  const file = await openOwn(path);
  if (file === undefined) return undefined;
  stack.use(file);
  const lock = tryLock(file);
  // What was opened may have been replaced by its session before it was locked.
  if (lock === 'held' && !(await isStill(path, file))) return undefined;
  const manifest = await readManifest(file);
  if (manifest === undefined) return undefined;
  const owned = stack.move();
  return {
    owner: manifest.owner,
    placements: manifest.placements,
    lock,
    keep: async (placements) => {
      if (placements.length === 0) return await unlink(path).catch(ignoreMissing);
      const copy = await writeInPlace(path, true, () => JSON.stringify({ ...manifest, placements }));
      await copy.close();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Folders that sessions which have a manifest there made for it: the last of them takes them away. */
export async function foldersClaimedIn(directory: string): Promise<readonly string[]> {
  const claimed = new Set<string>();
  for (const path of await manifestsIn(directory)) {
    await using found = await findManifest(path);
    for (const { kind, path: folder } of found?.placements ?? [])
      if (kind === 'folder' && holdsManifests(folder, directory)) claimed.add(folder);
  }
  // A path that is longer is further in.
  return [...claimed].sort((a, b) => a.length - b.length);
}

/** A new file, locked if that can be done here, with the text that belongs to it, by rename. The caller closes it. */
async function writeInPlace(
  path: string,
  durable: boolean,
  text: (locks: boolean) => string,
): Promise<FileHandle> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  try {
    await using stack = new AsyncDisposableStack();
    const file = stack.use(await open(temporary, 'wx', 0o600));
    await file.writeFile(text(tryLock(file) === 'held'));
    if (durable) await file.sync();
    await rename(temporary, path);
    if (durable) await syncFolder(folder);
    stack.move();
    return file;
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw new ProxyError('trust_unwritable', `${path} cannot be written: ${faultReason(error)}`, {
      cause: error,
    });
  }
}

/** Makes the rename itself last. */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}

async function openOwn(path: string): Promise<FileHandle | undefined> {
  const { O_RDWR, O_NOFOLLOW, O_NONBLOCK } = constants;
  let file: FileHandle;
  try {
    // For writing, as some file systems lock no others. A pipe at this name must not be waited for.
    file = await open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (['ENOENT', 'ELOOP', 'ENXIO', 'EISDIR', 'EACCES'].includes(code)) return undefined;
    throw error;
  }
  const status = await file.stat();
  const isOwn = status.isFile() && status.uid === process.geteuid?.() && (status.mode & 0o077) === 0;
  if (isOwn && status.size <= defaultLimits.manifestBytesMax) return file;
  await file.close();
  return undefined;
}

async function readManifest(file: FileHandle): Promise<Manifest | undefined> {
  try {
    const manifest: unknown = JSON.parse(await file.readFile('utf8'));
    return isManifest(manifest) ? manifest : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** What this program writes has all of it; a file without is none of ours, and no reason to end a session. */
function isManifest(value: unknown): value is Manifest {
  // Each field is looked at before it is used.
  const manifest = value as Partial<Manifest> | null;
  return (
    manifest?.version === 1 &&
    typeof manifest.owner === 'object' &&
    manifest.owner !== null &&
    Array.isArray(manifest.placements) &&
    manifest.placements.every(isPlacement)
  );
}

const ownFields = {
  folder: undefined,
  temporary: undefined,
  file: 'sha256',
  hashed: 'sha256',
  append: 'text',
  'resolv-conf': 'text',
  'java-entry': 'entry',
} as const satisfies Record<Placement['kind'], string | undefined>;

function isPlacement(value: unknown): value is Placement {
  if (typeof value !== 'object' || value === null) return false;
  // Each field is looked at before it is used.
  const { kind, path, ...rest } = value as { kind?: unknown; path?: unknown } & Record<string, unknown>;
  if (typeof kind !== 'string' || !Object.hasOwn(ownFields, kind)) return false;
  const field = ownFields[kind as Placement['kind']];
  if (field !== undefined && typeof rest[field] !== 'string') return false;
  return typeof path === 'string' && isAbsolute(path) && normalize(path) === path;
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
  return undefined;
}
