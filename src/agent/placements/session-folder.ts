// The folder of a session below the temporary one: named by its process, so that the next start can remove one that was left.

import { defaultLimits } from '../../protocol/limits.ts';
import { chmod, lstat, mkdtemp, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isMarkAlive, processMark, processPlace } from '../kernel/process-mark.ts';
import { removeTree } from '../../system/remove-tree.ts';

/** Makes an empty folder for the session of this process, which everybody may read and nobody else write. */
export async function makeSessionFolder(temporary: string): Promise<string> {
  const mark = processMark();
  const folder = await mkdtemp(join(temporary, `upstreamproxy-${mark === undefined ? '' : `${mark}-`}`));
  // The certificates are public and the workload may be another user.
  await chmod(folder, 0o755);
  return folder;
}

/**
 * Removes folders of sessions whose process was killed, if they are this user's. Gives what it removed; what it cannot remove
 * stays, for it is in nobody's way.
 */
export async function removeLeftFolders(temporary: string): Promise<readonly string[]> {
  const place = processPlace();
  const names = await readdir(temporary).catch(() => []);
  const left = names
    .filter((name) => name.startsWith(`upstreamproxy-${place ?? '?'}-`))
    .slice(0, defaultLimits.sessionFoldersMax)
    .filter((name) => !isAlive(name));
  const removed: string[] = [];
  for (const name of left) {
    const folder = join(temporary, name);
    try {
      const { uid } = await lstat(folder);
      if (uid !== process.geteuid?.()) continue;
      await removeTree(folder);
      removed.push(folder);
    } catch {
      // Another start removes it at the same time.
    }
  }
  return removed;
}

/** Whether the process in the name of a folder still runs; true for a name that is of another kind. */
function isAlive(name: string): boolean {
  const mark = /^upstreamproxy-([0-9a-f]{8}-\d+-\d+)-\w{6}$/.exec(name)?.[1];
  return mark === undefined || isMarkAlive(mark);
}
