// Which process has placed something outside of its own folder, so that another can tell whether it still runs.

import { readFileSync, readlinkSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { processState } from '../kernel/process-table.ts';
import type { LockState } from './file-lock.ts';

export interface Owner {
  readonly pid: number;
  /** Start of the process in ticks since the boot: a number that comes again is another process. */
  readonly started: string;
  readonly boot: string;
  readonly pidNamespace: string;
  /** It holds the lock of its manifest as long as it runs. */
  readonly locks: boolean;
}

export function ownOwner(): Omit<Owner, 'locks'> {
  return {
    pid: process.pid,
    started: startOf('self') ?? '',
    boot: readOrEmpty('/proc/sys/kernel/random/boot_id'),
    pidNamespace: pidNamespaceOfSelf(),
  };
}

/**
 * Whether that process has ended for certain, by the lock of its manifest as this process got it. Of a container that shares
 * the folder, process numbers tell nothing, and its name may be this one's: the lock does. Of a machine that shares it nothing
 * is known, so what ran there counts as running.
 */
export async function hasEnded(owner: Owner, lock: LockState, folder: string): Promise<boolean> {
  if (lock === 'busy') return false;
  const self = ownOwner();
  const isSameKernel = owner.boot !== '' && owner.boot === self.boot;
  const isOtherKernel = owner.boot !== '' && self.boot !== '' && !isSameKernel;
  if (isOtherKernel) return await isOfThisMachine(folder);
  if (owner.locks && lock === 'held') return isSameKernel || (await isOfThisMachine(folder));
  return isSameKernel && owner.pidNamespace === self.pidNamespace && startOf(owner.pid) !== owner.started;
}

/** Magic numbers of file systems that one kernel at a time has (statfs(2)): another boot's processes are gone. */
const localFileSystems: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  0xf2f52010, // F2FS
  0x2fc12fc1, // ZFS
  0xca451a4e, // bcachefs
  0x01021994, // tmpfs
  0x794c7630, // overlay
]);

async function isOfThisMachine(folder: string): Promise<boolean> {
  const { type } = await statfs(folder);
  // Some runtimes give it as a negative number of 32 bits.
  return localFileSystems.has(Number(type) >>> 0);
}

/** Undefined if there is no such process, or only what is left of one. */
function startOf(pid: number | 'self'): string | undefined {
  const found = processState(pid);
  return found === undefined || found.state === 'Z' ? undefined : found.started;
}

function pidNamespaceOfSelf(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    // Kernels without namespaces have one.
    return '';
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    // Gone, or hidden: nothing is known.
    return '';
  }
}
