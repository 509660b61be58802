// All that one session has placed outside of its folder, with a manifest by which another process can take it away.

import { randomBytes } from 'node:crypto';
import { link, lstat, mkdir, open, realpath, unlink } from 'node:fs/promises';
import { basename, dirname, join, normalize } from 'node:path';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { withJavaEntry } from '../../pki/java-key-store.ts';
import { lockFolder } from './file-lock.ts';
import { linkHashed } from './hashed-folder.ts';
import { undoAll } from './leftovers.ts';
import { makeManifestFolder, manifestFolderFault, removeEmptyFolders } from './manifest-folder.ts';
import { foldersClaimedIn, ManifestWriter } from './manifest.ts';
import { javaStorePassword, type Placement, sha256 } from './placement.ts';
import { PlainFolder } from '../../system/plain-folder.ts';
import { changeInPlace, changeSystemFile } from './system-file.ts';

/**
 * `[Symbol.asyncDispose]` takes away what was placed and not changed by others, newest first. What it cannot take away
 * stays in the manifest, for the next session.
 */
export class Placements implements AsyncDisposable {
  readonly #directory: string;
  readonly #manifest: ManifestWriter;
  #placements: readonly Placement[] = [];
  /** Made for manifests by this session, or by one that ran beside it and may end before. */
  #folders: readonly string[];

  private constructor(directory: string, folders: readonly string[]) {
    this.#directory = directory;
    this.#manifest = new ManifestWriter(directory);
    this.#folders = folders;
  }

  /** `directory` holds the manifests of this user; it is made with mode 0700. Throws trust_unwritable if others can write in it. */
  static async open(directory: string): Promise<Placements> {
    const place = normalize(directory);
    const made = await makeManifestFolder(place);
    const fault = await manifestFolderFault(place);
    if (fault !== undefined) throw new ProxyError('trust_unwritable', fault);
    const claimed = made.length > 0 ? made : await foldersClaimedIn(place);
    return new Placements(place, claimed);
  }

  /** False if something is at that path: it stays as it is. Missing folders are made. */
  async placeFile(path: string, content: string | Uint8Array, mode: number): Promise<boolean> {
    if (await exists(path)) return false;
    const folderPath = await this.#folderOf(dirname(path), mode);
    const placed = join(folderPath, basename(path));
    return await this.#placeReady(
      { kind: 'file', path: placed, sha256: sha256(content) },
      { content, mode },
      async (folder, ready) => {
        try {
          // Unlike a rename it never takes the place of a file that came meanwhile.
          await link(folder.entry(ready), folder.entry(basename(path)));
          return true;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
          return false;
        }
      },
    );
  }

  /** Places a file in a hashed folder of OpenSSL, by the next number of that hash; false if there is none left. */
  async placeHashed(folder: string, hash: string, content: string): Promise<boolean> {
    const folderPath = await realpath(folder);
    await using _ = await lockFolder(folderPath);
    return await this.#placeReady(
      { kind: 'hashed', path: join(folderPath, hash), sha256: sha256(content) },
      { content, mode: 0o644 },
      (plain, ready) => linkHashed(plain, hash, ready),
    );
  }

  /** Appends lines to a file of the system; false if it becomes a link meanwhile. */
  async appendText(path: string, text: string): Promise<boolean> {
    const place = await realpath(path);
    return await changeSystemFile(place, async (content) => {
      // Always on a line of its own, so that each session's can be cut off whatever is before and behind it.
      const appended = `\n${text}`;
      await this.#record(true, { kind: 'append', path: place, text: appended });
      return Buffer.concat([content, Buffer.from(appended)]);
    });
  }

  /** Adds an entry to a Java key store of the system; false if it is none of the usual form and password. */
  async addJavaEntry(path: string, entry: Uint8Array): Promise<boolean> {
    const place = await realpath(path);
    let isAdded = false;
    await changeSystemFile(place, async (content) => {
      const store = withJavaEntry(content, entry, javaStorePassword);
      if (store === undefined) return undefined;
      const text = Buffer.from(entry).toString('base64');
      await this.#record(true, { kind: 'java-entry', path: place, entry: text });
      isAdded = true;
      return store;
    });
    return isAdded;
  }

  /** Gives resolv.conf another text, which keeps what stands there; false if it is no plain file. */
  async changeResolvConf(path: string, change: (text: string) => string): Promise<boolean> {
    const place = await realpath(path);
    return await changeInPlace(place, async (content) => {
      const text = change(content.toString('latin1'));
      await this.#record(true, { kind: 'resolv-conf', path: place, text });
      return Buffer.from(text, 'latin1');
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.takeAway();
  }

  /** As disposing does; gives the paths that stay, and why. Harmless when repeated. */
  async takeAway(): Promise<readonly string[]> {
    await using manifest = this.#manifest;
    const { stayed, failed } = await undoAll(this.#placements);
    this.#placements = failed;
    // Where not even that can be written, the manifest stays as it was.
    if (failed.length > 0) await this.#write(true).catch(() => {});
    else {
      await manifest.remove();
      await removeEmptyFolders(this.#folders);
    }
    return stayed;
  }

  /** Makes the content ready under another name, and lets `give` it its own; if that gives false, nothing is placed. */
  async #placeReady(
    placement: Placement,
    { content, mode }: { readonly content: string | Uint8Array; readonly mode: number },
    give: (folder: PlainFolder, ready: string) => Promise<boolean>,
  ): Promise<boolean> {
    const folderPath = dirname(placement.path);
    const ready = `.${basename(placement.path)}.upstreamproxy-${randomBytes(8).toString('hex')}`;
    await using folder = await PlainFolder.open(folderPath);
    // What is recorded last is undone first; a crash in between leaves nothing that the manifest does not know.
    await this.#record(false, placement, { kind: 'temporary', path: join(folderPath, ready) });
    const file = await open(folder.entry(ready), 'wx', mode);
    try {
      await file.writeFile(content);
      await file.chmod(mode);
    } finally {
      await file.close();
    }
    try {
      const isGiven = await give(folder, ready);
      if (!isGiven) await this.#forget(placement);
      return isGiven;
    } finally {
      await unlink(folder.entry(ready));
    }
  }

  /** The folder without links in its path; it and those above are made where they are missing. */
  async #folderOf(path: string, fileMode: number): Promise<string> {
    try {
      return await realpath(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    const folder = join(await this.#folderOf(dirname(path), fileMode), basename(path));
    await this.#record(false, { kind: 'folder', path: folder });
    // As private as what will be in it.
    await mkdir(folder, { mode: (fileMode & 0o044) === 0 ? 0o700 : 0o755 });
    return folder;
  }

  async #forget(placement: Placement): Promise<void> {
    this.#placements = this.#placements.filter((one) => one !== placement);
    await this.#write(false);
  }

  /** Durable where a loss of power must not lose it: files of the system outlive that. */
  async #record(durable: boolean, ...placements: readonly Placement[]): Promise<void> {
    this.#placements = [...this.#placements, ...placements];
    await this.#write(durable);
  }

  async #write(durable: boolean): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const folders = this.#folders.map((path): Placement => ({ kind: 'folder', path }));
      try {
        return await this.#manifest.write([...folders, ...this.#placements], durable);
      } catch (error) {
        if (attempt === defaultLimits.manifestFolderAttemptsMax || !isMissing(error)) throw error;
        // The last session beside this one has just taken the folder away, for it saw no manifest in it.
        this.#folders = await makeManifestFolder(this.#directory);
      }
    }
  }
}

/** `trust_unwritable` for a folder that is not there. */
function isMissing(error: unknown): boolean {
  const { cause } = error as { readonly cause?: NodeJS.ErrnoException };
  return cause?.code === 'ENOENT';
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    // ENOTDIR is for the folder that is to be made, which says so better.
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}
