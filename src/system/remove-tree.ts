// Removing a folder with what is in it. Whoever can write in it can put a link in the place of a folder meanwhile; it is not
// followed, as it would be by node:fs.

import { readdir, realpath, rmdir, unlink } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { PlainFolder } from './plain-folder.ts';
import { defaultLimits } from '../protocol/limits.ts';

/** Harmless where nothing is. Throws what the kernel refuses with; then some of it may be left. */
export async function removeTree(path: string): Promise<void> {
  try {
    await using parent = await PlainFolder.open(await realpath(dirname(path)));
    await removeEntry(parent, basename(path), 0);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

async function removeEntry(parent: PlainFolder, name: string, depth: number): Promise<void> {
  if (depth > defaultLimits.removedFolderLevelsMax)
    throw new Error(`${name} is deeper than ${defaultLimits.removedFolderLevelsMax} folders`);
  {
    await using folder = await parent.openFolder(name);
    if (folder === undefined) return await unlink(parent.entry(name));
    for (const entry of await readdir(folder.entry('.'))) {
      try {
        await removeEntry(folder, entry, depth + 1);
      } catch (error) {
        // Somebody else removes it too.
        if (!isMissing(error)) throw error;
      }
    }
  }
  // It is empty, or refused; never a link's end.
  await rmdir(parent.entry(name));
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
