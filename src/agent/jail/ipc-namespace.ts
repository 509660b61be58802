// The command's own message queues, semaphores and shared memory of System V and POSIX (ipc_namespaces(7)): those of outside would lead
// out of a network that has no other way.

import { constants } from 'node:os';
import { requireDone } from '../../system/kernel-fault.ts';
import { mounts } from './kernel-files.ts';
import { isNoneAllowed } from './network-namespace.ts';
import type { Kernel } from './raw-listener.ts';

const CLONE_NEWIPC = 0x08000000;
const MS_NOSUID_NODEV_NOEXEC = 2 | 4 | 8;

/** Moves the calling thread, and what it starts, there. Throws an Error that says what the kernel refuses. */
export function enterIpcNamespace({ calls, numbers }: Kernel): void {
  const places = mounts().filter(({ type }) => type === 'mqueue');
  const result = calls.call(numbers.unshare, CLONE_NEWIPC);
  if (-result === constants.errno.ENOSPC && isNoneAllowed('ipc'))
    throw new Error('unshare: no namespaces of queues are allowed here (/proc/sys/user)');
  requireDone('unshare', result);
  // The queues of outside are files of a file system that is mounted for it.
  for (const { place } of places) {
    const [source, target] = [Buffer.from('mqueue\0'), Buffer.from(`${place}\0`, 'latin1')];
    const mounted = calls.call(numbers.mount, source, target, source, MS_NOSUID_NODEV_NOEXEC, 0);
    requireDone(`cannot mount ${place}`, mounted);
  }
}
