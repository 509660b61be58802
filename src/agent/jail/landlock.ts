// Landlock (landlock(7)): a domain whose processes cannot read, trace or signal a process outside it, such as the agent.

import { constants } from 'node:os';
import type { SystemCalls } from '../../system/ffi.ts';
import { errnoName, requireDone } from '../../system/kernel-fault.ts';
import type { SystemCallNumbers } from '../../system/system-call-numbers.ts';

export interface LandlockOptions {
  /** If given, the only places that can be written; devices of a terminal always can. Reading stays as it is. */
  readonly fsWrite?: readonly string[];
  /** Descriptors of folders of ours that the helper still adds to; mounts make them read-only for the command. */
  readonly ownFolders?: readonly number[];
  /** For tests: the newest version of the interface to use. */
  readonly abiMax?: number;
}

/** What the domain keeps away, beyond memory, environment and descriptors of processes outside. */
export interface LandlockDomain {
  readonly abi: number;
  /** Signals to processes outside, and abstract sockets of them, are refused. From ABI 6, Linux 6.12. */
  readonly scoped: boolean;
}

const LANDLOCK_CREATE_RULESET_VERSION = 1;
const LANDLOCK_RULE_PATH_BENEATH = 1;
const LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET = 1n;
const LANDLOCK_SCOPE_SIGNAL = 2n;
const AT_FDCWD = -100;
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;

const accessFs = {
  writeFile: 1n << 1n,
  removeDir: 1n << 4n,
  removeFile: 1n << 5n,
  makeChar: 1n << 6n,
  makeDir: 1n << 7n,
  makeReg: 1n << 8n,
  makeSock: 1n << 9n,
  makeFifo: 1n << 10n,
  makeBlock: 1n << 11n,
  makeSym: 1n << 12n,
  refer: 1n << 13n,
  truncate: 1n << 14n,
} as const;

// What every command line program writes to; absent ones are passed over.
const devicesToWrite = [
  '/dev/null',
  '/dev/zero',
  '/dev/full',
  '/dev/tty',
  '/dev/ptmx',
  '/dev/pts',
  '/dev/shm',
];

/**
 * Puts the calling thread, and what it executes, into a domain of its own; no_new_privs must be set. Throws an Error
 * that says why the kernel refuses.
 */
export function enterLandlock(
  calls: SystemCalls,
  numbers: SystemCallNumbers,
  options: LandlockOptions = {},
): LandlockDomain {
  const abi = Math.min(landlockAbi(calls, numbers), options.abiMax ?? Number.POSITIVE_INFINITY);
  const scoped = abi >= 6;
  const handled = handledAccess(abi, options.fsWrite !== undefined);
  // struct landlock_ruleset_attr { u64 handled_access_fs, handled_access_net, scoped }
  const attributes = new BigUint64Array([
    handled,
    0n,
    scoped ? LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL : 0n,
  ]);
  const bytes = new Uint8Array(attributes.buffer);
  const ruleset = requireDone(
    'landlock_create_ruleset',
    calls.call(numbers.landlock_create_ruleset, bytes, bytes.length, 0),
  );
  try {
    if (options.fsWrite !== undefined) {
      for (const path of options.fsWrite) allowBeneath(calls, numbers, { ruleset, path, access: handled });
      for (const fd of options.ownFolders ?? []) {
        const added = addRule(calls, numbers, { ruleset, access: handled, fd });
        requireDone('landlock_add_rule for a folder of ours', added);
      }
      for (const path of devicesToWrite) allowIfThere(calls, numbers, { ruleset, path, access: handled });
    } else if (handled !== 0n) {
      // The domain is wanted, not a limit on files: what had to be handled is allowed everywhere.
      allowBeneath(calls, numbers, { ruleset, path: '/', access: handled });
    }
    requireDone('landlock_restrict_self', calls.call(numbers.landlock_restrict_self, ruleset, 0));
  } finally {
    calls.call(numbers.close, ruleset);
  }
  return { abi, scoped };
}

/** The version of Landlock's interface; throws an Error where the kernel has none. */
export function landlockAbi(calls: SystemCalls, numbers: SystemCallNumbers): number {
  const abi = calls.call(numbers.landlock_create_ruleset, 0, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi > 0) return abi;
  if (-abi === constants.errno.ENOSYS)
    throw new Error('the kernel has no Landlock (Linux 5.13 or newer has)');
  if (-abi === constants.errno.EOPNOTSUPP) throw new Error('Landlock is switched off at boot (lsm=)');
  throw new Error(`landlock_create_ruleset: ${errnoName(-abi)}`);
}

function handledAccess(abi: number, limitWriting: boolean): bigint {
  // REFER (ABI 2) is refused in every domain that handles files, unless it is handled and allowed.
  const refer = abi >= 2 ? accessFs.refer : 0n;
  if (!limitWriting) {
    // A ruleset must handle something; scopes are enough from ABI 6.
    return abi >= 6 ? 0n : accessFs.makeBlock | refer;
  }
  const truncate = abi >= 3 ? accessFs.truncate : 0n;
  const { refer: _refer, truncate: _truncate, ...since1 } = accessFs;
  return Object.values(since1).reduce((sum, right) => sum | right, refer | truncate);
}

interface PathRule {
  readonly ruleset: number;
  readonly path: string;
  readonly access: bigint;
}

function allowBeneath(calls: SystemCalls, numbers: SystemCallNumbers, rule: PathRule): void {
  const fd = openPath(calls, numbers, rule.path);
  requireDone(`cannot open ${rule.path} for --fs-write`, fd);
  try {
    const first = addRule(calls, numbers, { ...rule, fd });
    // The rights of directories are refused on a file; there the two that files have are asked for.
    const fileRights = rule.access & (accessFs.writeFile | accessFs.truncate);
    const result =
      first === -constants.errno.EINVAL
        ? addRule(calls, numbers, { ...rule, access: fileRights, fd })
        : first;
    requireDone(`landlock_add_rule for ${rule.path}`, result);
  } finally {
    calls.call(numbers.close, fd);
  }
}

function allowIfThere(calls: SystemCalls, numbers: SystemCallNumbers, rule: PathRule): void {
  const fd = openPath(calls, numbers, rule.path);
  if (fd < 0) return;
  calls.call(numbers.close, fd);
  allowBeneath(calls, numbers, rule);
}

function openPath(calls: SystemCalls, numbers: SystemCallNumbers, path: string): number {
  return calls.call(numbers.openat, AT_FDCWD, Buffer.from(`${path}\0`), O_PATH | O_CLOEXEC, 0);
}

function addRule(
  calls: SystemCalls,
  numbers: SystemCallNumbers,
  rule: Omit<PathRule, 'path'> & { readonly fd: number },
): number {
  // struct landlock_path_beneath_attr { u64 allowed_access; s32 parent_fd } packed
  const attributes = Buffer.alloc(12);
  attributes.writeBigUInt64LE(rule.access, 0);
  attributes.writeInt32LE(rule.fd, 8);
  return calls.call(numbers.landlock_add_rule, rule.ruleset, LANDLOCK_RULE_PATH_BENEATH, attributes, 0);
}
