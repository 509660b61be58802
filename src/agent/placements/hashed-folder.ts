// Files of a hashed folder of OpenSSL, `HASH.0`, `HASH.1` and so on. It looks no further than the first number that is missing.

import { link, readdir, rename, unlink } from 'node:fs/promises';
import { isMarked } from './own-mark.ts';
import type { PlainFolder } from '../../system/plain-folder.ts';

/** Subjects that come again. */
const hashNumbersMax = 16;

/** Gives the file `ready` the first free name of that hash; false if none is. The caller has the folder's lock. */
export async function linkHashed(folder: PlainFolder, hash: string, ready: string): Promise<boolean> {
  for (let number = 0; number < hashNumbersMax; number++) {
    try {
      await link(folder.entry(ready), folder.entry(`${hash}.${number}`));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  return false;
}

/**
 * Removes the file of that hash for which `isIt` is true; one that another session of ours has behind it takes its number.
 * The caller has the folder's lock.
 */
export async function removeHashed(
  folder: PlainFolder,
  hash: string,
  isIt: (name: string) => Promise<boolean>,
): Promise<void> {
  const names = await namesOf(folder, hash);
  for (const name of names) {
    if (!(await isIt(name))) continue;
    const last = names.at(-1);
    if (last !== undefined && last !== name && (await isMarkedFile(folder, last)))
      await rename(folder.entry(last), folder.entry(name));
    else await unlink(folder.entry(name));
    return;
  }
}

/** In the order in which OpenSSL looks. */
async function namesOf(folder: PlainFolder, hash: string): Promise<readonly string[]> {
  const there = new Set(await readdir(folder.entry('.')));
  return Array.from({ length: hashNumbersMax }, (_, number) => `${hash}.${number}`).filter((name) =>
    there.has(name),
  );
}

async function isMarkedFile(folder: PlainFolder, name: string): Promise<boolean> {
  const content = await folder.readFile(name);
  return content !== undefined && isMarked(content);
}
