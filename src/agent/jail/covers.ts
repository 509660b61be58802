// Files and folders that are laid over paths in the command's own mount namespace: nothing outside changes, and all is gone with the last
// process inside. What lies there comes from one file system in memory.

import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  type Stats,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { defaultLimits } from '../../protocol/limits.ts';
import { isRefusal, KernelFault, requireDone } from '../../system/kernel-fault.ts';
import type { Cover, CoverEntry, LateCover } from './jail-plan.ts';
import { otherPlaces } from './other-places.ts';
import type { Kernel } from './raw-listener.ts';

const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const AT_RECURSIVE = 0x8000;
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
const OPEN_TREE_CLONE = 1;
const MOVE_MOUNT_BOTH_EMPTY = 0x04 | 0x40;
const MOUNT_ATTR_RDONLY = 1n;
const MS_NOSUID_NODEV_NOEXEC = 2 | 4 | 8;
const MS_BIND_REC = 0x1000 | 0x4000;
const MNT_DETACH = 2;
/** Any folder that is there serves for a moment as the place of the file system in memory. */
const scratchFolders = ['/tmp', '/run', '/mnt', '/var'];

/** A path, and what lay there before. */
export interface Covered {
  readonly path: string;
  /** The one that was asked for, where this is another way to the same file. */
  readonly of: string;
  readonly before: Pick<Stats, 'dev' | 'ino'>;
}

export interface Covers {
  readonly covered: readonly Covered[];
  /** Descriptors of folders that `fill` may still add to, and the command not. */
  readonly folders: readonly number[];
  /** Gives what was laid over a path its content, which was not known then. Throws an Error for a path that is not covered. */
  fill(late: LateCover): void;
}

/**
 * Lays them, in the mount namespace of the calling thread, which must not be the agent's. A path that is not there is passed over; links
 * are followed, and what they lead to is covered, by every mount that shows it. Throws an Error that says what the kernel refuses.
 */
export function layCovers(kernel: Kernel, covers: readonly Cover[]): Covers {
  const targets = covers.flatMap((cover) => targetsOf(kernel, cover));
  if (targets.length === 0) return { covered: [], folders: [], fill: notCovered };
  const scratch = mountScratch(kernel);
  try {
    const laid = targets.map((target, index) => lay(kernel, target, join(scratch, String(index))));
    // By whichever mount it is seen.
    const held = Map.groupBy(laid, ({ of }) => of);
    return {
      covered: laid,
      folders: laid.filter(({ isFolder, isWritable }) => isFolder && !isWritable).map(({ fd }) => fd),
      fill: (late) => {
        const places = held.get(late.path);
        if (places === undefined) notCovered(late);
        else for (const one of places) fill(kernel, one, late);
      },
    };
  } finally {
    for (const { fd } of targets) closeSync(fd);
    // Its files stay, by their own mounts and the descriptors that are held.
    requireDone(
      `cannot unmount ${scratch}`,
      kernel.calls.call(kernel.numbers.umount2, cString(scratch), MNT_DETACH),
    );
  }
}

/** Where each still leads to what lay there before; empty if all is covered. */
export function uncovered(covered: readonly Covered[]): readonly string[] {
  const isOriginal = (found: Stats): boolean =>
    covered.some(({ before }) => before.dev === found.dev && before.ino === found.ino);
  return covered
    .map(({ path }) => path)
    .filter((path) => {
      try {
        return isOriginal(statSync(path));
      } catch {
        // Nothing can be had by this name.
        return false;
      }
    });
}

function notCovered({ path }: LateCover): never {
  throw new Error(`nothing was laid over ${path}`);
}

interface Target {
  readonly cover: Cover;
  readonly path: string;
  readonly fd: number;
  readonly status: Stats;
}

interface Laid extends Covered {
  readonly fd: number;
  /** Names of the entries that were laid with it. */
  readonly names: ReadonlySet<string>;
  readonly isFolder: boolean;
  readonly isWritable: boolean;
}

/** What is there now, held by a descriptor: whatever a path leads to later, this is what will be covered. */
function targetsOf(kernel: Kernel, cover: Cover): readonly Target[] {
  const first = openTarget(kernel, cover.path);
  if (first === undefined) return [];
  const target = { cover, path: cover.path, fd: first, status: fstatSync(first) };
  const others = otherPlaces(first, target.status).flatMap((path): readonly Target[] => {
    const fd = openTarget(kernel, path);
    if (fd === undefined) return [];
    // The same, or a part of it.
    const status = fstatSync(fd);
    if (status.dev === target.status.dev) return [{ cover, path, fd, status }];
    closeSync(fd);
    return [];
  });
  return [target, ...others];
}

function openTarget({ calls, numbers }: Kernel, path: string): number | undefined {
  const fd = calls.call(numbers.openat, AT_FDCWD, cString(path), O_PATH | O_CLOEXEC, 0);
  if (fd >= 0) return fd;
  const fault = new KernelFault(`cannot open ${path}`, -fd);
  // What this user cannot come to, its command cannot either.
  if (['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP'].includes(fault.code)) return undefined;
  throw fault;
}

function mountScratch({ calls, numbers }: Kernel): string {
  const scratch = scratchFolders.find((folder) =>
    lstatSync(folder, { throwIfNoEntry: false })?.isDirectory(),
  );
  if (scratch === undefined) throw new Error('there is no folder to mount over');
  const options = `size=${defaultLimits.coverBytesMax},nr_inodes=${defaultLimits.coverFilesMax},mode=700`;
  const name = cString('upstreamproxy');
  const result = calls.call(
    numbers.mount,
    name,
    cString(scratch),
    cString('tmpfs'),
    MS_NOSUID_NODEV_NOEXEC,
    cString(options),
  );
  requireDone(`cannot mount over ${scratch}`, result);
  return scratch;
}

function lay(kernel: Kernel, { cover, path, fd: target, status }: Target, place: string): Laid {
  const isFolder = status.isDirectory();
  if (isFolder) makeFolder(kernel, cover, target, place);
  else writeFileSync(place, Buffer.from(cover.content ?? '', 'base64'), { mode: 0o600, flag: 'wx' });
  takeLook(place, status, isFolder);
  const held = openSync(place, isFolder ? constants.O_RDONLY | constants.O_DIRECTORY : constants.O_RDWR);
  const isWritable = cover.isWritable === true;
  moveOver(kernel, place, target, isWritable);
  const before = { dev: status.dev, ino: status.ino };
  const names = new Set(cover.entries?.map(({ name }) => name));
  return { path, of: cover.path, before, fd: held, names, isFolder, isWritable };
}

function makeFolder(
  kernel: Kernel,
  { entries = [], keepsOthers = false, keeps = [] }: Cover,
  target: number,
  place: string,
): void {
  mkdirSync(place, { mode: 0o700 });
  for (const entry of entries) makeEntry(place, entry);
  const original = `/proc/self/fd/${target}`;
  for (const path of keeps) {
    const from = join(original, path);
    const found = statSync(from, { throwIfNoEntry: false });
    if (found === undefined) continue;
    mkdirSync(dirname(join(place, path)), { recursive: true, mode: 0o755 });
    bind(kernel, from, join(place, path), found.isDirectory());
  }
  if (!keepsOthers) return;
  const ours = new Set(entries.map(({ name }) => name.split('/')[0]));
  for (const name of readdirSync(original)) {
    if (ours.has(name)) continue;
    const from = join(original, name);
    const found = lstatSync(from, { throwIfNoEntry: false });
    if (found?.isSymbolicLink() === true) symlinkSync(readlinkSync(from), join(place, name));
    else if (found !== undefined) bind(kernel, from, join(place, name), found.isDirectory());
  }
}

function bind({ calls, numbers }: Kernel, from: string, to: string, isFolder: boolean): void {
  if (isFolder) mkdirSync(to);
  else writeFileSync(to, '');
  requireDone(`cannot mount ${to}`, calls.call(numbers.mount, cString(from), cString(to), 0, MS_BIND_REC, 0));
}

function makeEntry(place: string, entry: CoverEntry): void {
  const path = join(place, entry.name);
  for (let at = entry.name.indexOf('/'); at > 0; at = entry.name.indexOf('/', at + 1)) {
    const folder = join(place, entry.name.slice(0, at));
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o755);
  }
  if ('link' in entry) return symlinkSync(entry.link, path);
  writeFileSync(path, Buffer.from(entry.content, 'base64'), { flag: 'wx' });
  // The caller's umask is not for files that others have to read.
  chmodSync(path, 0o644);
}

/** Owner and mode as they were, so that who could use it still can. */
function takeLook(place: string, { uid, gid, mode }: Stats, isFolder: boolean): void {
  try {
    chownSync(place, uid, gid);
  } catch (error) {
    // In a namespace of one user there is no other.
    if (!isRefusal(error)) throw error;
  }
  chmodSync(place, mode & 0o777 & (isFolder ? 0o777 : 0o666));
}

/** By descriptors, so that no path is looked up a second time. */
function moveOver({ calls, numbers }: Kernel, place: string, target: number, isWritable: boolean): void {
  const empty = cString('');
  const flags = OPEN_TREE_CLONE | O_CLOEXEC | AT_RECURSIVE;
  const tree = requireDone('open_tree', calls.call(numbers.open_tree, AT_FDCWD, cString(place), flags));
  try {
    if (!isWritable) {
      // struct mount_attr { u64 attr_set, attr_clr, propagation, userns_fd }
      const attributes = new Uint8Array(new BigUint64Array([MOUNT_ATTR_RDONLY, 0n, 0n, 0n]).buffer);
      const set = calls.call(
        numbers.mount_setattr,
        tree,
        empty,
        AT_EMPTY_PATH,
        attributes,
        attributes.length,
      );
      requireDone('mount_setattr', set);
    }
    const moved = calls.call(numbers.move_mount, tree, empty, target, empty, MOVE_MOUNT_BOTH_EMPTY);
    requireDone('move_mount', moved);
  } finally {
    calls.call(numbers.close, tree);
  }
}

/** By what is held, for layers refuse paths, and where this process is outside its namespace it has no /proc/self. */
function fill(kernel: Kernel, { fd, names, isFolder, path }: Laid, late: LateCover): void {
  const { content, entries = [] } = late;
  if (content !== undefined && !isFolder) writeFileSync(fd, Buffer.from(content, 'base64'));
  for (const entry of isFolder ? entries : []) {
    // Of its own making alone: what else the folder holds is that of outside.
    const isLaid = names.has(entry.name);
    const folder = dirname(entry.name);
    if (folder !== '.' && !names.values().some((name) => dirname(name) === folder))
      throw new Error(`${path}: no name of a file`);
    if ('link' in entry) throw new Error(`${path}: links are known when it is laid`);
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_TRUNC } = constants;
    const flags = O_WRONLY | O_NOFOLLOW | O_CLOEXEC | (isLaid ? O_TRUNC : O_CREAT | O_EXCL);
    const { calls, numbers } = kernel;
    const made = calls.call(numbers.openat, fd, cString(entry.name), flags, 0o644);
    requireDone(`cannot make ${path}/${entry.name}`, made);
    try {
      fchmodSync(made, 0o644);
      writeFileSync(made, Buffer.from(entry.content, 'base64'));
    } finally {
      closeSync(made);
    }
  }
}

function cString(text: string): Uint8Array {
  return Buffer.from(`${text}\0`, 'utf8');
}
