// The layer `files`: what the user keeps from others is covered in the command's own mount namespace, and it is looked at from there
// whether it still can be had.

import {
  accessSync,
  closeSync,
  constants as files,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  statSync,
} from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { requireDone } from '../../system/kernel-fault.ts';
import { dropMakingDevices, hasPower } from './capabilities.ts';
import { type Covered, type Covers, layCovers, uncovered } from './covers.ts';
import type { Cover, LayerReport } from './jail-plan.ts';
import type { Kernel } from './raw-listener.ts';

const MS_REC = 0x4000;
const MS_PRIVATE = 1 << 18;
/** umount2(2): only marks a mount that nobody uses, at the first call. */
const MNT_EXPIRE = 4;
const PR_GET_NO_NEW_PRIVS = 39;
/** Folders below /dev in which disks are, too. */
const deviceFolders = ['/dev', '/dev/mapper', '/dev/disk', '/dev/md', '/dev/zvol'];

/** Throws an Error that says what the kernel refuses. */
export function hideFiles(kernel: Kernel, hides: readonly Cover[]): Covers {
  const { calls, numbers } = kernel;
  // A mount that appears outside later would lie over ours.
  const made = calls.call(numbers.mount, 0, Buffer.from('/\0'), 0, MS_REC | MS_PRIVATE, 0);
  requireDone('cannot make mounts private', made);
  const folder = process.cwd();
  const covers = layCovers(kernel, [...hides, ...disks().map((path) => ({ path }))]);
  // Files could be had past what lies over their folder from a process that is in it.
  process.chdir(folder);
  dropMakingDevices(calls, numbers);
  return covers;
}

/** A folder that is a standard stream: it would lead past what lies over its files, as the working folder would. */
export interface FolderStream {
  readonly fd: number;
  /** Undefined where it cannot be had. */
  readonly path: string | undefined;
}

/** Looked for while this process has a place in /proc. */
export function folderStreams(): readonly FolderStream[] {
  return [0, 1, 2].flatMap((fd) => (isFolder(fd) ? [{ fd, path: pathOf(fd) }] : []));
}

function isFolder(fd: number): boolean {
  try {
    return fstatSync(fd).isDirectory();
  } catch {
    // Closed.
    return false;
  }
}

function pathOf(fd: number): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}

/**
 * The same folders as they are seen from here, once there is no other mount namespace to come. One that cannot be had here is /dev/null,
 * for else the command had that of outside. Gives those. Throws an Error if that cannot be had either.
 */
function openAnew(kernel: Kernel, streams: readonly FolderStream[]): readonly number[] {
  return streams
    .filter(({ fd, path }) => path === undefined || !isPutAs(kernel, fd, () => openFolder(path)))
    .map(({ fd }) => {
      if (!isPutAs(kernel, fd, () => openSync('/dev/null', files.O_RDONLY)))
        throw new Error(`standard stream ${fd} is a folder of outside, and cannot be replaced`);
      return fd;
    });
}

function openFolder(path: string): number {
  return openSync(path, files.O_RDONLY | files.O_DIRECTORY);
}

function isPutAs({ calls, numbers }: Kernel, fd: number, open: () => number): boolean {
  let opened: number;
  try {
    opened = open();
  } catch {
    return false;
  }
  try {
    return calls.call(numbers.dup3, opened, fd, 0) >= 0;
  } finally {
    closeSync(opened);
  }
}

/** On a disk that can be read, every file can. */
function disks(): readonly string[] {
  return deviceFolders.flatMap((folder) => {
    try {
      return readdirSync(folder)
        .map((name) => join(folder, name))
        .filter((path) => lstatSync(path).isBlockDevice() && canRead(path));
    } catch {
      // It is not there, or changes.
      return [];
    }
  });
}

function canRead(path: string): boolean {
  try {
    accessSync(path, files.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** By what way a covered file can still be had by the command of that user; undefined if none was found. */
function wayToHidden(kernel: Kernel, { covered }: Covers, uid: number): string | undefined {
  const [seen] = uncovered(covered);
  if (seen !== undefined) return `${seen} is still seen`;
  const other = seenByOthers(covered);
  if (other !== undefined) return other;
  const first = covered[0];
  if (first !== undefined && canUnmount(kernel, first.path, uid))
    return 'the command could unmount what lies over it';
  return undefined;
}

/** A process in another mount namespace sees what is covered here. */
function seenByOthers(covered: readonly Covered[]): string | undefined {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const root = `/proc/${pid}/root`;
    try {
      statSync(root);
    } catch {
      // The kernel refuses, as it should, or it has ended.
      continue;
    }
    const places = covered.map((one) => ({ ...one, path: root + one.path }));
    if (uncovered(places).length > 0) return 'the folder of another process leads to it (/proc/PID/root)';
  }
  return undefined;
}

function canUnmount(kernel: Kernel, path: string, uid: number): boolean {
  const { calls, numbers } = kernel;
  const result = calls.call(numbers.umount2, Buffer.from(`${path}\0`), MNT_EXPIRE);
  if (-result === constants.errno.EPERM) return false;
  // This process may have rights that the command loses; a setuid program would give it root's.
  const isHeld = calls.call(numbers.prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) === 1;
  return hasPower(calls, numbers, isHeld ? uid : 0);
}

/** What was found of what holds in the end. */
export interface LookedAt {
  readonly layers: readonly LayerReport[];
  /** Standard streams that were folders which cannot be had inside. */
  readonly lostStreams: readonly number[];
}

/** Files are hidden if they cannot be had by what holds in the end, and not because something lies over them. */
export function lookedAt(
  context: Kernel & {
    readonly hidden?: Covers;
    readonly uid?: number;
    readonly folderStreams?: readonly FolderStream[];
  },
  layers: readonly LayerReport[],
): LookedAt {
  const { hidden, uid = process.geteuid?.() ?? 0, folderStreams: streams = [] } = context;
  if (hidden === undefined) return { layers, lostStreams: [] };
  const lostStreams = openAnew(context, streams);
  const way = wayToHidden(context, hidden, uid);
  if (way === undefined) return { layers, lostStreams };
  const open: LayerReport = { layer: 'files', held: false, reason: way };
  return { layers: layers.map((one) => (one.layer === 'files' ? open : one)), lostStreams };
}
