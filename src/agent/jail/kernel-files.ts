// Files by which root reaches around its jail, made read-only inside: a setting names a program that the kernel starts outside
// as root, a control group stops or ends any process.

import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import type { SystemCalls } from '../../system/ffi.ts';
import { errnoName, requireDone } from '../../system/kernel-fault.ts';
import type { SystemCallNumbers } from '../../system/system-call-numbers.ts';

const AT_FDCWD = -100;
const MOUNT_ATTR_RDONLY = 1n;
const MS_RDONLY = 1;
const MS_BIND = 0x1000;
const CLONE_NEWNS = 0x00020000;
const MS_REC = 0x4000;
const MS_SLAVE = 1 << 19;

/** File systems whose files are the kernel's own, beside proc, of which processes need a part. */
const kernelFileSystems: ReadonlySet<string> = new Set([
  'sysfs',
  'cgroup',
  'cgroup2',
  'debugfs',
  'tracefs',
  'securityfs',
  'configfs',
  'efivarfs',
  'pstore',
  'bpf',
  'binfmt_misc',
  'resctrl',
  'fusectl',
  'selinuxfs',
  'smackfs',
]);
/** The part of proc that is not about processes. */
const kernelPartsOfProc = ['sys', 'sysrq-trigger', 'irq', 'bus', 'fs', 'acpi', 'scsi'];
/** `|program` in it is started by the kernel as root, in no jail, when a process leaves a core file (core(5)). */
const tellingSetting = '/proc/sys/kernel/core_pattern';

/** Makes a mount namespace in which mounts of outside still appear, for `closeKernelFiles`. Throws an Error if refused. */
export function makeMountNamespace(calls: SystemCalls, numbers: SystemCallNumbers): void {
  requireDone('unshare', calls.call(numbers.unshare, CLONE_NEWNS));
  const result = calls.call(numbers.mount, 0, cString('/'), 0, MS_REC | MS_SLAVE, 0);
  requireDone('cannot keep mounts inside', result);
}

/** Whether this user could set what the kernel does outside. A container's root cannot: there the file is read-only. */
export function canSetKernel(): boolean {
  try {
    accessSync(tellingSetting, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Makes the kernel's own files read-only in this mount namespace, which must not be the agent's. Throws an Error if refused. */
export function closeKernelFiles(calls: SystemCalls, numbers: SystemCallNumbers): void {
  for (const { place, type } of mounts()) {
    if (kernelFileSystems.has(type)) makeReadOnly(calls, numbers, place);
    else if (type === 'proc') closeProcFiles(calls, numbers, place);
  }
}

/** Where control groups are files. */
export function controlGroups(): readonly string[] {
  return mounts()
    .filter(({ type }) => type === 'cgroup' || type === 'cgroup2')
    .map(({ place }) => place);
}

/** The same for one place of proc. */
export function closeProcFiles(calls: SystemCalls, numbers: SystemCallNumbers, place: string): void {
  for (const part of kernelPartsOfProc) {
    const folder = beneath(place, part);
    const bound = calls.call(numbers.mount, cString(folder), cString(folder), 0, MS_BIND | MS_REC, 0);
    // Many kernels lack some of them.
    if (bound < 0 && errnoName(-bound) === 'ENOENT') continue;
    requireDone(`cannot mount ${folder}`, bound);
    makeReadOnly(calls, numbers, folder);
  }
}

/** Where proc is mounted as a whole, and what was laid over parts of it, as container runtimes do. */
export function procPlaces(): readonly { readonly place: string; readonly masked: readonly string[] }[] {
  const all = mounts();
  const places = new Set(
    all.filter(({ type, root }) => type === 'proc' && root === '/').map(({ place }) => place),
  );
  return [...places].map((place) => {
    const over = all.filter((mount) => mount.type !== 'proc' && mount.place.startsWith(beneath(place, '')));
    return { place, masked: over.filter(({ type }) => type !== 'binfmt_misc').map((mount) => mount.place) };
  });
}

/** Lays an empty folder or file over it, if it is there. */
export function maskUnder(calls: SystemCalls, numbers: SystemCallNumbers, path: string): void {
  const found = statSync(Buffer.from(path, 'latin1'), { throwIfNoEntry: false });
  if (found === undefined) return;
  const result = found.isDirectory()
    ? calls.call(
        numbers.mount,
        cString('tmpfs'),
        cString(path),
        cString('tmpfs'),
        MS_RDONLY,
        cString('size=0'),
      )
    : calls.call(numbers.mount, cString('/dev/null'), cString(path), 0, MS_BIND, 0);
  requireDone(`cannot mount over ${path}`, result);
}

function beneath(place: string, part: string): string {
  return place === '/' ? `/${part}` : `${place}/${part}`;
}

function makeReadOnly(calls: SystemCalls, numbers: SystemCallNumbers, place: string): void {
  // struct mount_attr { u64 attr_set, attr_clr, propagation, userns_fd }
  const attributes = new Uint8Array(new BigUint64Array([MOUNT_ATTR_RDONLY, 0n, 0n, 0n]).buffer);
  const result = calls.call(
    numbers.mount_setattr,
    AT_FDCWD,
    cString(place),
    0,
    attributes,
    attributes.length,
  );
  // Covered by another mount, or gone: out of reach in either case.
  if (result < 0 && ['EINVAL', 'ENOENT'].includes(errnoName(-result))) return;
  requireDone(`cannot make ${place} read-only`, result);
}

/** What proc_pid_mountinfo(5) says, in the order in which it was mounted. */
export function mounts(): readonly {
  readonly id: string;
  /** Major and minor number of the file system. */
  readonly device: string;
  readonly root: string;
  readonly place: string;
  readonly type: string;
}[] {
  const lines = readFileSync('/proc/self/mountinfo', 'latin1').trimEnd().split('\n');
  return lines.map((line) => {
    const [own = '', source = ''] = line.split(' - ');
    const [id = '', , device = '', root = '', place = ''] = own.split(' ');
    return { id, device, root: unescaped(root), place: unescaped(place), type: source.split(' ')[0] ?? '' };
  });
}

/** Spaces and such are written as three octal digits. */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

function cString(text: string): Uint8Array {
  // As it was read: a path is bytes.
  return Buffer.from(`${text}\0`, 'latin1');
}
