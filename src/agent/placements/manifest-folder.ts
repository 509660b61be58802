// The folder of the manifests of one user. Manifests say what is to be removed, so nobody else may put one there.

import { defaultLimits } from '../../protocol/limits.ts';
import { lstat, mkdir, readdir, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const manifestName = /^placed-[0-9a-f]{16}\.json$/;
const unfinishedName = /^\.placed-[0-9a-f]{16}\.json\.[0-9a-f]{12}$/;

/** Gives the folders that were not there, the outermost first: who made them takes them away again. */
export async function makeManifestFolder(directory: string): Promise<readonly string[]> {
  const first = await mkdir(directory, { recursive: true, mode: 0o700 });
  const made: string[] = [];
  if (first === undefined) return made;
  for (let path = directory; path.startsWith(first); path = dirname(path)) made.unshift(path);
  return made;
}

/** Whether it is the folder of manifests or one above it. */
export function holdsManifests(folder: string, directory: string): boolean {
  return folder === directory || directory.startsWith(`${folder}/`);
}

/** Takes them away as far as nothing is in them, the innermost first. */
export async function removeEmptyFolders(folders: readonly string[]): Promise<void> {
  for (const path of folders.toReversed()) {
    try {
      await rmdir(path);
    } catch {
      // Somebody uses it, or another session was faster; those above are in use as well, or tried all the same.
    }
  }
}

/**
 * Why manifests of that folder are not to be believed; undefined if they are, or if it is not there. It and the one above, which
 * are made by this program alone, must be this user's, no links, and closed to writing by others: who can write further
 * above can put others in their place, but none that are this user's.
 */
export async function manifestFolderFault(directory: string): Promise<string | undefined> {
  for (const path of [dirname(directory), directory]) {
    const status = await lstat(path).catch(ignoreMissing);
    if (status === undefined) return undefined;
    if (!status.isDirectory()) return `${path} is not a folder`;
    if (status.uid !== process.geteuid?.()) return `${path} is of another user`;
    if ((status.mode & 0o022) !== 0) return `${path} can be written by others`;
  }
  return undefined;
}

/** Paths of the manifests in it; none if it is not there. Removes what writers that were killed left. */
export async function manifestsIn(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  for (const name of names.filter((candidate) => unfinishedName.test(candidate)))
    await removeOld(join(directory, name));
  return names.filter((name) => manifestName.test(name)).map((name) => join(directory, name));
}

async function removeOld(path: string): Promise<void> {
  const status = await stat(path).catch(ignoreMissing);
  if (status !== undefined && Date.now() - status.mtimeMs > defaultLimits.manifestUnfinishedAgeMs)
    await unlink(path).catch(ignoreMissing);
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
  return undefined;
}
