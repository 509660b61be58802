// The helper's last step: what runtimes left behind is undone, and the process becomes the command.

import { accessSync, constants as files, statSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { SystemCalls } from '../../system/ffi.ts';
import type { SystemCallNumbers } from '../../system/system-call-numbers.ts';

const F_SETFD = 2;
const FD_CLOEXEC = 1;
/** More are given to nobody by chance. */
const descriptorsMax = 4_096;
const F_GETFL = 3;
const F_SETFL = 4;
const CLOSE_RANGE_CLOEXEC = 4;
const SIG_SETMASK = 2;
const RLIMIT_NOFILE = 7;
const PR_SET_PDEATHSIG = 1;
const signalMax = 64;
/** Where a PATH is not set, as execvp(3) has it. */
const pathWithout = '/bin:/usr/bin';

/** Where a command name leads, as execvp(3) looks it up; or the exit code that a shell would give. */
export function findProgram(
  file: string,
  path: string | undefined,
): { readonly path: string } | { readonly code: 126 | 127 } {
  if (file.includes('/')) return { path: file };
  let denied = false;
  for (const folder of (path ?? pathWithout).split(':')) {
    const candidate = join(folder === '' ? '.' : folder, file);
    try {
      if (!statSync(candidate).isFile()) continue;
      accessSync(candidate, files.X_OK);
    } catch (error) {
      // execvp(3) goes on too, and remembers that something was there.
      denied ||= (error as NodeJS.ErrnoException).code === 'EACCES';
      continue;
    }
    // `join` drops the ./ of a relative folder, without which a name is looked up no further.
    return { path: candidate.includes('/') ? candidate : `./${candidate}` };
  }
  return { code: denied ? 126 : 127 };
}

/** Gives the command its signals and limits back as they were before this runtime changed them. */
export function restoreProcess(
  calls: SystemCalls,
  numbers: SystemCallNumbers,
  openFilesSoft: number | undefined,
): void {
  // struct sigaction of the kernel: handler SIG_DFL, no flags, no restorer, empty mask.
  const defaultAction = new Uint8Array(32);
  // SIGPIPE and SIGXFSZ are ignored in Node, and that would outlive exec. The kernel refuses SIGKILL and SIGSTOP.
  for (let signal = 1; signal <= signalMax; signal++)
    calls.call(numbers.rt_sigaction, signal, defaultAction, 0, 8);
  calls.call(numbers.rt_sigprocmask, SIG_SETMASK, new Uint8Array(8), 0, 8);
  if (openFilesSoft !== undefined) {
    const limit = new BigUint64Array(2);
    const bytes = new Uint8Array(limit.buffer);
    if (calls.call(numbers.prlimit64, 0, RLIMIT_NOFILE, 0, bytes) < 0) return;
    const hard = limit[1] ?? 0n;
    limit[0] = BigInt(openFilesSoft) < hard ? BigInt(openFilesSoft) : hard;
    calls.call(numbers.prlimit64, 0, RLIMIT_NOFILE, bytes, 0);
  }
}

/** The kernel ends this process when the agent, its parent, ends in whatever way. Forgotten by a change of user. */
export function dieWithParent(calls: SystemCalls, numbers: SystemCallNumbers): void {
  calls.call(numbers.prctl, PR_SET_PDEATHSIG, constants.signals.SIGKILL, 0, 0, 0);
}

/**
 * `execve(2)`, with the standard streams kept and every other descriptor closed. Returns only if it failed: the errno.
 */
export function becomeProgram(
  calls: SystemCalls,
  numbers: SystemCallNumbers,
  program: {
    readonly path: string;
    readonly argv: readonly string[];
    readonly environment: Readonly<Record<string, string>>;
  },
): number {
  closeOthers(calls, numbers);
  const { path, argv } = program;
  const environment = Object.entries(program.environment).map(([name, value]) => `${name}=${value}`);
  const errno = execute(calls, numbers, { path, argv, environment });
  // A script without #!, as execvp(3) has it.
  if (errno !== constants.errno.ENOEXEC) return errno;
  return execute(calls, numbers, { path: '/bin/sh', argv: ['sh', path, ...argv.slice(1)], environment });
}

/** What the next program gets: the standard streams as they were, and no other descriptor. */
export function closeOthers(calls: SystemCalls, numbers: SystemCallNumbers): void {
  for (const fd of [0, 1, 2]) {
    // Runtimes mark all descriptors to be closed, the standard streams too.
    calls.call(numbers.fcntl, fd, F_SETFD, 0);
    // And they make pipes non-blocking, for everybody who has them: `cat` would take a full one for an error.
    const flags = calls.call(numbers.fcntl, fd, F_GETFL, 0);
    if (flags >= 0) calls.call(numbers.fcntl, fd, F_SETFL, flags & ~files.O_NONBLOCK);
  }
  closeAtExec(calls, numbers);
}

/** No program that this process executes has a descriptor beyond the standard streams. */
export function closeAtExec(calls: SystemCalls, numbers: SystemCallNumbers): void {
  if (calls.call(numbers.close_range, 3, 0xffffffff, CLOSE_RANGE_CLOEXEC) >= 0) return;
  // Linux before 5.11.
  for (let fd = 3; fd < descriptorsMax; fd++) calls.call(numbers.fcntl, fd, F_SETFD, FD_CLOEXEC);
}

interface ExecveArguments {
  readonly path: string;
  readonly argv: readonly string[];
  readonly environment: readonly string[];
}

function execute(
  calls: SystemCalls,
  numbers: SystemCallNumbers,
  { path, argv, environment }: ExecveArguments,
): number {
  const [file, args, variables] = [cString(path), argv.map(cString), environment.map(cString)];
  const result = calls.call(numbers.execve, file, pointers(calls, args), pointers(calls, variables));
  return -result;
}

function cString(text: string): Uint8Array {
  return Buffer.from(`${text}\0`, 'utf8');
}

/** An array of addresses that ends with 0. The strings stay alive with the caller. */
function pointers(calls: SystemCalls, strings: readonly Uint8Array[]): Uint8Array {
  const addresses = BigUint64Array.from([...strings.map((bytes) => calls.address(bytes)), 0n]);
  return new Uint8Array(addresses.buffer);
}
