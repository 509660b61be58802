// Namespaces for the command: the helper makes those of network and mounts itself; who is not root starts it in a user
// namespace, in which it may.

import { readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { SystemCalls } from '../../system/ffi.ts';
import { findProgram } from './become-program.ts';
import type { HelperProgram } from './jail-plan.ts';
import { isRefusal, KernelFault, requireDone } from '../../system/kernel-fault.ts';
import type { SystemCallNumbers } from '../../system/system-call-numbers.ts';

/** How the helper is started so that it can make namespaces, or why it cannot. */
export type NamespaceStart =
  | {
      readonly program: HelperProgram;
      readonly startedBy?: string;
      /** The helper waits until `mapAllUsers` was called for it. */
      readonly needsMap?: boolean;
    }
  | { readonly reason: string };

/** Not the PATH of the environment: what stands before our own program must be the system's. */
export const toolPath = '/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin';
const CLONE_NEWNS = 0x00020000;
const CLONE_PIDFD = 0x00001000;
const CLONE_NEWUSER = 0x10000000;
const CLONE_NEWNET = 0x40000000;
const CAP_SYS_ADMIN = 21;
const MS_REC = 0x4000;
const MS_PRIVATE = 1 << 18;

/**
 * Root makes namespaces directly. Others, and root without CAP_SYS_ADMIN, need a user namespace, in which users keep their
 * numbers; a process of many threads, such as a runtime, cannot make that, so unshare(1) does.
 */
export function namespaceStart(
  program: HelperProgram,
  isRoot: boolean = process.geteuid?.() === 0,
): NamespaceStart {
  if (isRoot && hasCapability(CAP_SYS_ADMIN)) return { program };
  const unshare = findProgram('unshare', toolPath);
  if ('code' in unshare) return { reason: 'there is no unshare(1) of util-linux' };
  // In a namespace of one user, root could not become another and would not own their files. Of others unshare(1) writes the one user
  // itself: the files of a process whose executable they cannot read are not theirs.
  const map = isRoot ? [] : ['--map-current-user'];
  const args = ['--user', ...map, '--keep-caps', '--', program.file, ...program.args];
  return { program: { ...program, file: unshare.path, args }, startedBy: 'unshare', needsMap: isRoot };
}

/** Gives a process in a new user namespace all users and groups of this one. Throws an Error with the errno if the kernel refuses. */
export function mapAllUsers(pid: number): void {
  for (const kind of ['uid', 'gid']) {
    const ranges = readFileSync(`/proc/self/${kind}_map`, 'latin1').trim().split('\n');
    // First of this namespace, first of the one outside it, how many.
    const lines = ranges
      .map((line) => line.trim().split(/\s+/))
      .map(([first, , count]) => `${first} ${first} ${count}\n`);
    writeFileSync(`/proc/${pid}/${kind}_map`, lines.join(''));
  }
}

/**
 * Whether the kernel refuses a user namespace: asked of the kernel itself, with a place for the descriptor that cannot be written, so
 * that no process comes of it. Throws a KernelFault for what is no refusal, such as a limit that is reached.
 */
export function refusesUserNamespace(calls: SystemCalls, numbers: SystemCallNumbers): boolean {
  const flags = CLONE_NEWUSER | CLONE_PIDFD | constants.signals.SIGCHLD;
  const errno = -calls.call(numbers.clone, flags, 0, 0, 0, 0);
  // The namespace was made by then (copy_process of the kernel: credentials before descriptors).
  if (errno === constants.errno.EFAULT) return isRestrictedByAppArmor();
  const fault = new KernelFault('clone', errno);
  // user_namespaces(7): ENOSPC where a limit is reached, which can be 0.
  if (isRefusal(fault) || (fault.code === 'ENOSPC' && isNoneAllowed('user'))) return true;
  throw fault;
}

/** Then a namespace of users can be made, and nothing be done in it, not even its users be written. */
function isRestrictedByAppArmor(): boolean {
  try {
    const text = readFileSync('/proc/sys/kernel/apparmor_restrict_unprivileged_userns', 'latin1');
    return process.geteuid?.() !== 0 && text.trim() !== '0';
  } catch {
    // This kernel has no such restriction.
    return false;
  }
}

/** Whether the administrator allows none of these namespaces (namespaces(7), /proc/sys/user). */
export function isNoneAllowed(kind: 'user' | 'net' | 'mnt' | 'pid' | 'ipc'): boolean {
  try {
    return Number(readFileSync(`/proc/sys/user/max_${kind}_namespaces`, 'latin1')) === 0;
  } catch {
    // Without the file there is no such limit.
    return false;
  }
}

function hasCapability(capability: number): boolean {
  const [, effective = '0'] =
    /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'latin1')) ?? [];
  return ((BigInt(`0x${effective}`) >> BigInt(capability)) & 1n) === 1n;
}

/**
 * Moves the calling thread, and what it opens and executes from now on, into new namespaces of network and mounts.
 * Throws an Error that says what the kernel refuses.
 */
export function makeNamespaces(calls: SystemCalls, numbers: SystemCallNumbers): void {
  const result = calls.call(numbers.unshare, CLONE_NEWNET | CLONE_NEWNS);
  if (-result === constants.errno.ENOSPC && (isNoneAllowed('net') || isNoneAllowed('mnt')))
    throw new Error('unshare: no namespaces of networks and mounts are allowed here (/proc/sys/user)');
  requireDone('unshare', result);
  // Else the mounts to come would be seen outside.
  const made = calls.call(numbers.mount, 0, Buffer.from('/\0'), 0, MS_REC | MS_PRIVATE, 0);
  requireDone('cannot make mounts private', made);
}
