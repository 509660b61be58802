// Locks that the kernel takes away with the process that holds them (flock(2)), whatever namespaces that process is in.

import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { constants as system } from 'node:os';
import { ProxyError } from '../../protocol/error.ts';
import { openSystemCalls } from '../hardening/ffi.ts';
import { systemCallNumbers } from '../jail/system-call-numbers.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;

/** A change of a file takes milliseconds; the rest is for a loaded machine with several sessions that start at once. */
const folderLockTimeoutMs = 20_000;
const folderLockPollMs = 10;

/** `impossible`: this runtime or this file system has no such locks. */
export type LockState = 'held' | 'busy' | 'impossible';

/** Locks the open file, until it is closed or the process ends. Does not wait. */
export function tryLock({ fd }: FileHandle): LockState {
  let result: number;
  try {
    using calls = openSystemCalls();
    result = calls.call(systemCallNumbers().flock, fd, LOCK_EX | LOCK_NB);
  } catch {
    // No foreign functions, or a machine whose numbers are not known.
    return 'impossible';
  }
  if (result >= 0) return 'held';
  return -result === system.errno.EWOULDBLOCK ? 'busy' : 'impossible';
}

/**
 * Waits until nobody else of us changes files in the folder; disposing the result lets the next one. The folder itself is
 * locked, so nothing is left in it. Throws trust_unwritable if it cannot be had.
 */
export async function lockFolder(path: string): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await open(path, constants.O_RDONLY | constants.O_DIRECTORY));
  const deadlineMs = performance.now() + folderLockTimeoutMs;
  for (;;) {
    const state = tryLock(folder);
    if (state === 'held') return stack.move();
    if (state === 'impossible') throw new ProxyError('trust_unwritable', `${path} cannot be locked here`);
    if (performance.now() > deadlineMs)
      throw new ProxyError('trust_unwritable', `${path} stays locked by another session`);
    // `cleanup` has nothing else that would keep it alive.
    await new Promise((resolve) => setTimeout(resolve, folderLockPollMs));
  }
}
