// Capabilities that root in the jail must not have (capabilities(7)).

import type { SystemCalls } from '../../system/ffi.ts';
import { requireDone } from '../../system/kernel-fault.ts';
import type { SystemCallNumbers } from '../../system/system-call-numbers.ts';

const PR_CAPBSET_READ = 23;
const PR_CAPBSET_DROP = 24;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_IS_SET = 1;
const LINUX_CAPABILITY_VERSION_3 = 0x20080522;

/** In the agent's network they would lead out of the command's own: an interface that is made in the one, moved to the other. */
const droppedWithNetwork = { CAP_NET_ADMIN: 12, CAP_SYS_PTRACE: 19, CAP_SYS_ADMIN: 21 } as const;

/** They go around Landlock: CAP_PERFMON opens /proc/PID/environ and maps of any process, CAP_SYS_BOOT starts another kernel. */
const around = {
  CAP_SYS_MODULE: 16,
  CAP_SYS_RAWIO: 17,
  CAP_SYS_PTRACE: 19,
  CAP_SYS_ADMIN: 21,
  CAP_SYS_BOOT: 22,
  CAP_PERFMON: 38,
  CAP_BPF: 39,
  CAP_CHECKPOINT_RESTORE: 40,
} as const;

/** What container runtimes leave to root, and so does the jail; none of them is above. */
const usual: ReadonlySet<number> = new Set(
  Object.values({
    CAP_CHOWN: 0,
    CAP_DAC_OVERRIDE: 1,
    CAP_FOWNER: 3,
    CAP_FSETID: 4,
    CAP_KILL: 5,
    CAP_SETGID: 6,
    CAP_SETUID: 7,
    CAP_SETPCAP: 8,
    CAP_NET_BIND_SERVICE: 10,
    CAP_NET_RAW: 13,
    CAP_SYS_CHROOT: 18,
    CAP_MKNOD: 27,
    CAP_AUDIT_WRITE: 29,
    CAP_SETFCAP: 31,
  }),
);
/** A set of them has 64 bits. */
const capabilitiesMax = 64;

/**
 * Takes all but the usual ones out of what the next program can have. The calling thread must execute it; until then it
 * keeps them. Throws an Error if the kernel refuses to take one that goes around Landlock.
 */
export function dropCapabilities(calls: SystemCalls, numbers: SystemCallNumbers): void {
  dropFromBounds(calls, numbers, around);
  for (let capability = 0; capability < capabilitiesMax; capability++) {
    // A container's root without CAP_SETPCAP keeps what else it has.
    if (!usual.has(capability)) calls.call(numbers.prctl, PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
  clearInheritable(calls, numbers);
}

/** The same for what a namespace of the network needs. Who is not root had them for the helper's work alone. */
export function dropNetworkCapabilities(calls: SystemCalls, numbers: SystemCallNumbers): void {
  dropFromBounds(calls, numbers, droppedWithNetwork);
  clearInheritable(calls, numbers);
}

/** With it, root makes the device of a disk anywhere, and reads what lies on it. */
export function dropMakingDevices(calls: SystemCalls, numbers: SystemCallNumbers): void {
  // What this process has else goes on to the programs by which it enters the other layers.
  dropFromBounds(calls, numbers, { CAP_MKNOD: 27 });
}

/** Whether the next program of that user would have a capability that goes around Landlock. */
export function hasPower(calls: SystemCalls, numbers: SystemCallNumbers, uid: number): boolean {
  return Object.values(around).some((capability) => {
    // Root's program gets all that the bounding set leaves it, anybody else's what is ambient.
    const [operation, argument] = uid === 0 ? [capability, 0] : [PR_CAP_AMBIENT_IS_SET, capability];
    const option = uid === 0 ? PR_CAPBSET_READ : PR_CAP_AMBIENT;
    return calls.call(numbers.prctl, option, operation, argument, 0, 0) === 1;
  });
}

function dropFromBounds(
  calls: SystemCalls,
  numbers: SystemCallNumbers,
  capabilities: Readonly<Record<string, number>>,
): void {
  for (const [name, capability] of Object.entries(capabilities)) {
    // Below 0: the kernel does not know it, so nobody has it.
    if (calls.call(numbers.prctl, PR_CAPBSET_READ, capability, 0, 0, 0) <= 0) continue;
    requireDone(`cannot drop ${name}`, calls.call(numbers.prctl, PR_CAPBSET_DROP, capability, 0, 0, 0));
  }
}

/** The inheritable set would give them back at exec, whatever the bounding set says; the ambient set goes with it. */
function clearInheritable(calls: SystemCalls, numbers: SystemCallNumbers): void {
  const header = new Uint8Array(Uint32Array.of(LINUX_CAPABILITY_VERSION_3, 0).buffer);
  const sets = new Uint32Array(6);
  const bytes = new Uint8Array(sets.buffer);
  requireDone('capget', calls.call(numbers.capget, header, bytes));
  // Two of { effective, permitted, inheritable }.
  sets[2] = 0;
  sets[5] = 0;
  requireDone('capset', calls.call(numbers.capset, header, bytes));
}
