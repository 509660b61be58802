// The command's own namespace of processes: it sees none of outside, and none of it outlives its init, which does nothing but wait for the
// end of the agent (pid_namespaces(7)).

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { constants } from 'node:os';
import { requireDone } from '../../system/kernel-fault.ts';
import { findProgram } from './become-program.ts';
import { closeProcFiles, maskUnder, procPlaces } from './kernel-files.ts';
import { isNoneAllowed, toolPath } from './network-namespace.ts';
import type { Kernel } from './raw-listener.ts';
import type { OwnTerminals } from './terminals.ts';
import { defaultLimits } from '../../protocol/limits.ts';

const CLONE_NEWPID = 0x20000000;
/** mount(8): the kernel refused. Other codes are faults of the moment. */
const mountRefused = 32;
const F_SETFD = 2;
const F_DUPFD_CLOEXEC = 1030;
const SIG_IGN = 1n;

/**
 * From now on, what the calling thread starts is in a new namespace, whose init has `initFd` as its input, and no place of /proc shows a
 * process of outside. Returns the id of the init, which keeps the places of terminals too. This process itself stays outside, and has no /proc/self any more. Throws an Error
 * that says what the kernel refuses.
 */
export function enterProcessNamespace(
  { calls, numbers }: Kernel,
  initFd: number,
  terminals: OwnTerminals | undefined,
): number {
  const [cat, mount] = ['cat', 'mount'].map((name) => findProgram(name, toolPath));
  if (cat === undefined || mount === undefined || 'code' in cat || 'code' in mount)
    throw new Error('there is no cat(1) or no mount(8)');
  const places = procPlaces();
  const result = calls.call(numbers.unshare, CLONE_NEWPID);
  if (-result === constants.errno.ENOSPC && isNoneAllowed('pid'))
    throw new Error('unshare: no namespaces of processes are allowed here (/proc/sys/user)');
  requireDone('unshare', result);
  const init = startInit({ calls, numbers }, cat.path, { initFd, kept: terminals?.masters ?? [] });
  for (const { place } of places) mountProc(mount.path, place);
  for (const { place, masked } of places) {
    closeProcFiles(calls, numbers, place);
    for (const path of masked) maskUnder(calls, numbers, path);
  }
  // Seen, and not concluded: what can be named in it is the init alone.
  const seen = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  if (seen.join() !== '1') throw new Error('/proc shows processes of outside');
  return init;
}

/**
 * cat(1) copies its input, on which nothing ever comes, and ends with it; no signal of the command or of a terminal's key reaches the
 * first process of a namespace. SIGCHLD is ignored in it, so the kernel waits for what is left to it.
 */
function startInit(
  { calls, numbers }: Kernel,
  cat: string,
  { initFd, kept: held }: { readonly initFd: number; readonly kept: readonly number[] },
): number {
  const ignore = new Uint8Array(new BigUint64Array([SIG_IGN, 0n, 0n, 0n]).buffer);
  const before = new Uint8Array(32);
  const kept = [0, 1, 2].map((fd) =>
    requireDone('fcntl', calls.call(numbers.fcntl, fd, F_DUPFD_CLOEXEC, 10)),
  );
  requireDone('rt_sigaction', calls.call(numbers.rt_sigaction, constants.signals.SIGCHLD, ignore, before, 8));
  try {
    for (const fd of [0, 1, 2]) requireDone('dup3', calls.call(numbers.dup3, initFd, fd, 0));
    for (const fd of held) requireDone('fcntl', calls.call(numbers.fcntl, fd, F_SETFD, 0));
    return requireDone('cannot start cat(1)', calls.spawn(cat, ['upstreamproxy-init']));
  } finally {
    calls.call(numbers.rt_sigaction, constants.signals.SIGCHLD, before, 0, 8);
    for (const [fd, copy] of kept.entries()) {
      calls.call(numbers.dup3, copy, fd, 0);
      calls.call(numbers.close, copy);
    }
    for (const fd of held) calls.call(numbers.close, fd);
  }
}

/** By a program, for proc shows the processes of whoever mounts it, and this process is outside. */
function mountProc(mount: string, place: string): void {
  const args = ['-t', 'proc', '-o', 'nosuid,nodev,noexec', 'proc', place];
  const { status, error } = spawnSync(mount, args, {
    env: {},
    stdio: 'ignore',
    timeout: defaultLimits.jailMountTimeoutMs,
  });
  if (status === 0) return;
  if (status === mountRefused)
    throw new Error(`proc cannot be mounted on ${place} in a namespace of processes`);
  // With an errno that is no refusal, so that it ends the start.
  throw Object.assign(new Error(`mount ended with ${status ?? String(error)}`), { code: 'EIO' });
}
