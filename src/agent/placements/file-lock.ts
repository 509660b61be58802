// Locks that the kernel takes away with the process that holds them (flock(2)), whatever namespaces that process is in.

import { defaultLimits } from '../../protocol/limits.ts';
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, unlink } from 'node:fs/promises';
import { constants as system } from 'node:os';
import { join } from 'node:path';
import { ProxyError } from '../../protocol/error.ts';
import { openSystemCalls } from '../../system/ffi.ts';
import { systemCallNumbers } from '../../system/system-call-numbers.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;

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

/** Whoever can read a folder can lock it, and hold up everybody; this file only its owner can open. */
const lockName = '.upstreamproxy.lock';

/**
 * Waits until nobody else of us changes files in the folder; disposing the result lets the next one, and leaves nothing in it.
 * Throws trust_unwritable if it cannot be had.
 */
export async function lockFolder(path: string): Promise<AsyncDisposable> {
  const deadlineMs = performance.now() + defaultLimits.fileLockTimeoutMs;
  for (;;) {
    const lock = await tryLockFolder(join(path, lockName));
    if (typeof lock === 'object') return lock;
    if (lock === 'impossible') throw new ProxyError('trust_unwritable', `${path} cannot be locked here`);
    if (performance.now() > deadlineMs)
      throw new ProxyError('trust_unwritable', `${path} stays locked by another session`);
    // `cleanup` has nothing else that would keep it alive.
    await new Promise((resolve) => setTimeout(resolve, folderLockPollMs));
  }
}

async function tryLockFolder(name: string): Promise<AsyncDisposable | 'busy' | 'impossible'> {
  await using stack = new AsyncDisposableStack();
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = stack.use(await open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600));
  const state = tryLock(file);
  if (state === 'impossible') {
    await unlink(name);
    return 'impossible';
  }
  // Who had it before may have removed it since it was opened.
  if (state === 'busy' || !(await isStill(name, file))) return 'busy';
  // Removed before it is let go of.
  stack.defer(() => unlink(name));
  return stack.move();
}

/** Whether the open file is the one at that path. */
export async function isStill(path: string, file: FileHandle): Promise<boolean> {
  const [there, opened] = await Promise.all([lstat(path).catch(ignoreMissing), file.stat()]);
  return there !== undefined && there.ino === opened.ino && there.dev === opened.dev;
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
  return undefined;
}
