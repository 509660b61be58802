// The seccomp filter of the workload (seccomp(2)): a second line behind Landlock, against system calls that reach into
// other processes, make namespaces, or type into the terminal that the workload shares with a shell outside.

import { constants } from 'node:os';
import type { SystemCalls } from '../../system/ffi.ts';
import { requireDone } from '../../system/kernel-fault.ts';
import {
  systemCallNumbers,
  type SystemCallName,
  type SystemCallNumbers,
} from '../../system/system-call-numbers.ts';

/** Refused with EPERM, whatever the arguments. */
const refused: readonly SystemCallName[] = [
  'ptrace',
  'process_vm_readv',
  'process_vm_writev',
  'pidfd_getfd',
  'perf_event_open',
  'kcmp',
  'process_madvise',
  'userfaultfd',
  'bpf',
  'add_key',
  'request_key',
  'keyctl',
  'open_by_handle_at',
  'setns',
  'unshare',
  // Entering a ring is not refused: the helper's own may live until exec.
  'io_uring_setup',
];

/** Sockets of these belong to a network namespace, or reach no further than the kernel (the last one). */
const families = { AF_UNIX: 1, AF_INET: 2, AF_INET6: 10, AF_NETLINK: 16, AF_PACKET: 17, AF_ALG: 38 } as const;

const SECCOMP_SET_MODE_FILTER = 1;
const allow = 0x7fff0000;
const killProcess = 0x80000000;
const failWith = (errno: number): number => 0x00050000 | errno;
const CLONE_NEWUSER = 0x10000000;
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;
const x32Bit = 0x40000000;

// struct seccomp_data: nr, arch, instruction pointer, six arguments of 64 bits, little endian.
const offsetOf = { number: 0, architecture: 4, lowOf: (argument: number): number => 16 + 8 * argument };
const auditArchitecture: Readonly<Record<string, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };

/** One instruction of classic BPF: code, jump if true, jump if false, operand. */
type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, operand: number];

const load = (offset: number): Instruction => [0x20, 0, 0, offset];
const jumpIfEqual = (value: number, yes: number, no: number): Instruction => [0x15, yes, no, value];
const jumpIfAtLeast = (value: number, yes: number, no: number): Instruction => [0x35, yes, no, value];
const jumpIfAnyBit = (value: number, yes: number, no: number): Instruction => [0x45, yes, no, value];
const verdict = (value: number): Instruction => [0x06, 0, 0, value];

/** The filter as the kernel takes it: eight bytes an instruction. Throws an Error for another architecture. */
export function seccompProgram(architecture: string = process.arch): Uint8Array {
  const numbers = systemCallNumbers(architecture);
  const { EPERM, ENOSYS, EAFNOSUPPORT } = constants.errno;
  const allowedFamilies = Object.values(families);
  const instructions: Instruction[] = [
    load(offsetOf.architecture),
    // A 32-bit program would reach the same calls under other numbers.
    jumpIfEqual(auditArchitecture[architecture] ?? 0, 1, 0),
    verdict(killProcess),
    load(offsetOf.number),
  ];
  if (architecture === 'x64') instructions.push(jumpIfAtLeast(x32Bit, 0, 1), verdict(failWith(EPERM)));
  for (const name of refused) instructions.push(jumpIfEqual(numbers[name], 0, 1), verdict(failWith(EPERM)));
  instructions.push(
    // Its flags stand in memory, where a filter cannot look; libc falls back to clone.
    jumpIfEqual(numbers.clone3, 0, 1),
    verdict(failWith(ENOSYS)),
    ...whenCalled(numbers.clone, [
      load(offsetOf.lowOf(0)),
      jumpIfAnyBit(CLONE_NEWUSER, 0, 1),
      verdict(failWith(EPERM)),
    ]),
    // Limits of others: the agent's descriptors and processor time are not the workload's to set.
    ...whenCalled(numbers.prlimit64, [
      load(offsetOf.lowOf(0)),
      jumpIfEqual(0, 1, 0),
      verdict(failWith(EPERM)),
    ]),
    // Others, such as AF_VSOCK to the host of a virtual machine, lead out of every namespace. As a kernel without them.
    ...whenCalled(numbers.socket, [
      load(offsetOf.lowOf(0)),
      ...allowedFamilies.map((family, index) => jumpIfEqual(family, allowedFamilies.length - index, 0)),
      verdict(failWith(EAFNOSUPPORT)),
    ]),
    // The kernel reads 32 bits of the command, so the filter must look at just these (CVE-2019-10063).
    ...whenCalled(numbers.ioctl, [
      load(offsetOf.lowOf(1)),
      jumpIfEqual(TIOCSTI, 1, 0),
      jumpIfEqual(TIOCLINUX, 0, 1),
      verdict(failWith(EPERM)),
    ]),
    verdict(allow),
  );
  return encode(instructions);
}

/** A block for one call; what falls through it is allowed. */
function whenCalled(number: number, block: readonly Instruction[]): readonly Instruction[] {
  return [jumpIfEqual(number, 0, block.length + 1), ...block, verdict(allow)];
}

function encode(instructions: readonly Instruction[]): Uint8Array {
  const bytes = Buffer.alloc(instructions.length * 8);
  for (const [index, [code, jumpTrue, jumpFalse, operand]] of instructions.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(jumpTrue, index * 8 + 2);
    bytes.writeUInt8(jumpFalse, index * 8 + 3);
    bytes.writeUInt32LE(operand, index * 8 + 4);
  }
  return bytes;
}

/** Puts the filter on the calling thread and what it executes; no_new_privs must be set. Throws an Error if refused. */
export function installSeccomp(calls: SystemCalls, numbers: SystemCallNumbers): void {
  const program = seccompProgram();
  // struct sock_fprog { u16 length in instructions; pointer }
  const header = Buffer.alloc(16);
  header.writeUInt16LE(program.length / 8, 0);
  header.writeBigUInt64LE(calls.address(program), 8);
  requireDone('seccomp', calls.call(numbers.seccomp, SECCOMP_SET_MODE_FILTER, 0, header));
}
