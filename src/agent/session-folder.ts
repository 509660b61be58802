// The folder of a session below the temporary one: named by its process, so that the next start can remove one that was left.

import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { chmod, lstat, mkdtemp, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { processState } from './jail/process-table.ts';
import { removeTree } from './remove-tree.ts';

/** A process as nobody else can be it: where its number counts, the number, and when it started. */
interface Owner {
  /** Of this boot and this namespace of process numbers: in another container the same number is another process. */
  readonly place: string;
  readonly pid: number;
  /** Clock ticks since the boot (proc(5), field 22 of stat). */
  readonly started: string;
}

/** More are not looked at: a start is not to be slow because of others. */
const foldersLookedAtMax = 1_000;

/** Makes an empty folder for the session of this process, which everybody may read and nobody else write. */
export async function makeSessionFolder(temporary: string): Promise<string> {
  const owner = ownerOf(process.pid);
  const name = owner === undefined ? '' : `${owner.place}-${owner.pid}-${owner.started}-`;
  const folder = await mkdtemp(join(temporary, `upstreamproxy-${name}`));
  // The certificates are public and the workload may be another user.
  await chmod(folder, 0o755);
  return folder;
}

/**
 * Removes folders of sessions whose process was killed, if they are this user's. Gives what it removed; what it cannot remove
 * stays, for it is in nobody's way.
 */
export async function removeLeftFolders(temporary: string): Promise<readonly string[]> {
  const place = ownerOf(process.pid)?.place;
  const names = await readdir(temporary).catch(() => []);
  const left = names
    .filter((name) => name.startsWith(`upstreamproxy-${place ?? '?'}-`))
    .slice(0, foldersLookedAtMax)
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
  const match = /^upstreamproxy-[0-9a-f]{8}-(\d+)-(\d+)-\w{6}$/.exec(name);
  if (match === null) return true;
  return ownerOf(Number(match[1]))?.started === match[2];
}

function ownerOf(pid: number): Owner | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1');
    const namespace = readlinkSync('/proc/self/ns/pid');
    const place = createHash('sha256').update(boot).update(namespace).digest('hex').slice(0, 8);
    const started = processState(pid)?.started;
    return started === undefined ? undefined : { place, pid, started };
  } catch {
    // No such process, or a system without /proc, where nothing is removed.
    return undefined;
  }
}
