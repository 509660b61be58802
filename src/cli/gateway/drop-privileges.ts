// The gateway's change of user: all at once, for every thread, for good, and looked at afterwards.

import { readdirSync, readFileSync } from 'node:fs';

import { openSystemCalls, type SystemCalls } from '../../system/ffi.ts';
import type { Identity } from '../../agent/jail/identity.ts';
import { requireDone } from '../../system/kernel-fault.ts';
import { systemCallNumbers } from '../../system/system-call-numbers.ts';
import { ProxyError } from '../../protocol/error.ts';

const PR_SET_NO_NEW_PRIVS = 38;
const SECCOMP_SET_MODE_FILTER = 1;
const SECCOMP_FILTER_FLAG_TSYNC = 1;
/** `ret ALLOW`: the code of the instruction, and what it returns. */
const returnCode = 0x06;
const allow = 0x7fff0000;

/** Throws `usage` unless this process can become that user, and the user is another than root. */
export function requireDroppable(identity: Identity): void {
  if (process.geteuid?.() !== 0)
    throw new ProxyError(
      'usage',
      '--user can be given by root alone; start the gateway as root, or as that user',
    );
  if (identity.uid === 0 || identity.gid === 0)
    throw new ProxyError('usage', '--user names root, or its group; name a user without rights');
}

/**
 * Becomes that user: groups, group and user of all threads, without a way back and without new rights by any program
 * that is executed. Throws `hardening_failed` if anything of it cannot be seen to hold.
 */
export function dropPrivileges(identity: Identity): void {
  const { uid, gid, groups } = identity;
  try {
    process.setgroups?.([...groups]);
    // As root these set the real, effective and saved ids, in each thread (`man 7 nptl`).
    process.setgid?.(gid);
    process.setuid?.(uid);
    refuseNewPrivileges();
  } catch (error) {
    throw notDropped(error instanceof Error ? error.message : String(error), error);
  }
  for (const fault of faultsOf(identity)) throw notDropped(fault);
  Object.assign(process.env, identity.environment);
}

function notDropped(reason: string, cause?: unknown): ProxyError {
  return new ProxyError('hardening_failed', `the gateway could not give its privileges up: ${reason}`, {
    cause,
  });
}

/**
 * `no_new_privs` belongs to a thread, and the runtime has threads. A filter that is put on all of them carries it to
 * all (`man 2 seccomp`, SECCOMP_FILTER_FLAG_TSYNC); this one allows everything.
 */
function refuseNewPrivileges(): void {
  using calls: SystemCalls = openSystemCalls();
  const numbers = systemCallNumbers();
  requireDone('PR_SET_NO_NEW_PRIVS', calls.call(numbers.prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  const program = Buffer.alloc(8);
  program.writeUInt16LE(returnCode, 0);
  program.writeUInt32LE(allow, 4);
  // struct sock_fprog { u16 length in instructions; pointer }
  const header = Buffer.alloc(16);
  header.writeUInt16LE(1, 0);
  header.writeBigUInt64LE(calls.address(program), 8);
  const flags = SECCOMP_FILTER_FLAG_TSYNC;
  requireDone('seccomp', calls.call(numbers.seccomp, SECCOMP_SET_MODE_FILTER, flags, header));
}

/** What the kernel says of each thread that is not as it must be, and whether root can be had again. */
function faultsOf({ uid, gid, groups }: Identity): readonly string[] {
  const faults: string[] = [];
  const wanted: Readonly<Record<string, string>> = {
    Uid: Array(4).fill(uid).join(' '),
    Gid: Array(4).fill(gid).join(' '),
    Groups: groups.toSorted((a, b) => a - b).join(' '),
    CapPrm: '0'.repeat(16),
    CapEff: '0'.repeat(16),
    CapAmb: '0'.repeat(16),
    NoNewPrivs: '1',
  };
  for (const thread of readdirSync('/proc/self/task')) {
    const status = threadStatus(thread);
    for (const [name, value] of Object.entries(wanted)) {
      const found = status?.get(name);
      if (status !== undefined && found !== value)
        faults.push(`${name} of thread ${thread} is ${found ?? 'unknown'}, not ${value}`);
    }
  }
  if (canBecomeRoot()) faults.push('root could be had again');
  return faults;
}

/** Undefined if the thread ended meanwhile. */
function threadStatus(thread: string): ReadonlyMap<string, string> | undefined {
  try {
    const lines = readFileSync(`/proc/self/task/${thread}/status`, 'latin1').split('\n');
    return new Map(
      lines.map((line) => {
        const [name = '', rest = ''] = line.split(':', 2);
        return [name, rest.trim().replaceAll(/\s+/g, ' ')] as const;
      }),
    );
  } catch (error) {
    // Both are what procfs says of a thread that is gone; any other fault is one.
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}

function canBecomeRoot(): boolean {
  try {
    process.setuid?.(0);
    return true;
  } catch {
    // EPERM is what was asked for.
    return false;
  }
}
