// All that one session has placed outside of its folder, with a manifest by which another process can take it away.

import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, lstat, mkdir, open, readdir, readFile, realpath, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { asProxyError } from '../../protocol/error.ts';
import { withJavaEntry } from '../../pki/java-key-store.ts';
import { writeFileAtomically } from '../atomic-file.ts';
import { hasEnded, ownOwner, type Owner } from './owner.ts';
import { javaStorePassword, type Placement, replaceContent, sha256, undoPlacement } from './placement.ts';

interface Manifest {
  readonly version: 1;
  readonly owner: Owner;
  readonly placements: readonly Placement[];
}

const manifestName = /^placed-[0-9a-f]{16}\.json$/;
/** No session places as much; a larger file is not one of ours. */
const manifestBytesMax = 8 * 1024 * 1024;

/**
 * `[Symbol.asyncDispose]` takes away what was placed and not changed by others, newest first. What it cannot take away
 * stays in the manifest, for the next session.
 */
export class Placements implements AsyncDisposable {
  readonly #file: string;
  readonly #owner = ownOwner();
  #placements: readonly Placement[] = [];

  private constructor(file: string) {
    this.#file = file;
  }

  /** `directory` holds the manifests of this user; it is made with mode 0700. */
  static async open(directory: string): Promise<Placements> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return new Placements(join(directory, `placed-${randomBytes(8).toString('hex')}.json`));
  }

  /** False if something is at that path: it stays as it is. Missing folders are made. */
  async placeFile(path: string, content: string | Uint8Array, mode: number): Promise<boolean> {
    if (await exists(path)) return false;
    await this.#makeFolder(dirname(path), mode);
    const temporary = join(
      dirname(path),
      `.${basename(path)}.upstreamproxy-${randomBytes(8).toString('hex')}`,
    );
    // What is recorded last is undone first; a crash in between leaves nothing that the manifest does not know.
    await this.#record(
      false,
      { kind: 'file', path, sha256: sha256(content) },
      { kind: 'temporary', path: temporary },
    );
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(content);
      await file.chmod(mode);
    } finally {
      await file.close();
    }
    try {
      // Unlike a rename it never takes the place of a file that came meanwhile.
      await link(temporary, path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      await this.#forget(path);
      return false;
    } finally {
      await unlink(temporary);
    }
  }

  /** Appends lines to a file of the system. */
  async appendText(path: string, text: string): Promise<void> {
    const place = await realpath(path);
    const content = await readFile(place);
    // Always on a line of its own, so that each session's can be cut off whatever is before and behind it.
    const appended = `\n${text}`;
    await this.#record(true, { kind: 'append', path: place, text: appended });
    await replaceContent(place, Buffer.concat([content, Buffer.from(appended)]));
  }

  /** Adds an entry to a Java key store of the system; false if it is none of the usual form and password. */
  async addJavaEntry(path: string, entry: Uint8Array): Promise<boolean> {
    const place = await realpath(path);
    const store = withJavaEntry(await readFile(place), entry, javaStorePassword);
    if (store === undefined) return false;
    await this.#record(true, {
      kind: 'java-entry',
      path: place,
      entry: Buffer.from(entry).toString('base64'),
    });
    await replaceContent(place, store);
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { failed } = await undoAll(this.#placements);
    this.#placements = failed;
    if (failed.length > 0)
      await keepManifest(this.#file, { version: 1, owner: this.#owner, placements: failed });
    else await unlink(this.#file).catch(ignoreMissing);
  }

  async #makeFolder(path: string, fileMode: number): Promise<void> {
    if (await exists(path)) return;
    await this.#makeFolder(dirname(path), fileMode);
    await this.#record(false, { kind: 'folder', path });
    // As private as what will be in it.
    await mkdir(path, { mode: (fileMode & 0o044) === 0 ? 0o700 : 0o755 });
  }

  async #forget(path: string): Promise<void> {
    this.#placements = this.#placements.filter((placement) => placement.path !== path);
    await this.#write(false);
  }

  /** Durable where a loss of power must not lose it: files of the system outlive that. */
  async #record(durable: boolean, ...placements: readonly Placement[]): Promise<void> {
    this.#placements = [...this.#placements, ...placements];
    await this.#write(durable);
  }

  async #write(durable: boolean): Promise<void> {
    const manifest: Manifest = { version: 1, owner: this.#owner, placements: this.#placements };
    await writeManifest(this.#file, manifest, durable);
  }
}

/** Where not even that can be written, the manifest stays as it was. */
async function keepManifest(file: string, manifest: Manifest): Promise<void> {
  await writeManifest(file, manifest, true).catch(() => {});
}

async function writeManifest(file: string, manifest: Manifest, durable: boolean): Promise<void> {
  await writeFileAtomically(file, JSON.stringify(manifest), { mode: 0o600, durable });
}

/** What came of a look for leftovers: paths that stay because somebody has changed them, or that cannot be taken away. */
export interface Leftovers {
  readonly sessions: number;
  readonly kept: readonly string[];
}

/** Takes away what sessions of this user have left that ended without doing it themselves. Harmless where there are none. */
export async function removeLeftovers(directory: string): Promise<Leftovers> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const kept: string[] = [];
  let sessions = 0;
  for (const name of names.filter((candidate) => manifestName.test(candidate))) {
    const file = join(directory, name);
    const manifest = await readManifest(file);
    if (manifest === undefined || !hasEnded(manifest.owner)) continue;
    sessions++;
    const { changed, failed, reasons } = await undoAll(manifest.placements);
    kept.push(...changed, ...reasons);
    if (failed.length === 0) await unlink(file).catch(ignoreMissing);
    // What was taken away is not taken away again: what is there then may be another's.
    else await keepManifest(file, { ...manifest, placements: failed });
  }
  return { sessions, kept };
}

interface Undone {
  /** Paths that stay because somebody has changed them. */
  readonly changed: readonly string[];
  /** In the order in which they were placed. */
  readonly failed: readonly Placement[];
  /** Their paths, and why. */
  readonly reasons: readonly string[];
}

async function undoAll(placements: readonly Placement[]): Promise<Undone> {
  const changed: string[] = [];
  const failed: Placement[] = [];
  const reasons: string[] = [];
  for (const placement of placements.toReversed()) {
    try {
      if (!(await undoPlacement(placement)) && placement.kind !== 'folder') changed.push(placement.path);
    } catch (error) {
      // The others are taken away all the same.
      failed.unshift(placement);
      reasons.push(`${placement.path} (${asProxyError(error).message})`);
    }
  }
  return { changed, failed, reasons };
}

/** It tells what to delete, so it is read from nobody else, and by the descriptor that was looked at. */
async function readManifest(file: string): Promise<Manifest | undefined> {
  try {
    // A pipe at this name must not be waited for.
    await using handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const status = await handle.stat();
    if (!status.isFile() || status.uid !== process.geteuid?.() || status.size > manifestBytesMax)
      return undefined;
    const manifest: unknown = JSON.parse(await handle.readFile('utf8'));
    return isManifest(manifest) ? manifest : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ELOOP') return undefined;
    ignoreMissing(error);
    return undefined;
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
    manifest.placements.every(
      (placement: unknown) =>
        typeof placement === 'object' && typeof (placement as Placement | null)?.path === 'string',
    )
  );
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(ignoreMissing)) !== undefined;
}

function ignoreMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  return undefined;
}
