// The seccomp filter of the workload (seccomp(2)), as a list of what is allowed: a second line behind Landlock and namespaces, against
// system calls that reach into other processes or into the kernel, make namespaces, or type into the terminal that the workload shares
// with a shell outside.

import { constants } from 'node:os';
import type { SystemCalls } from '../../system/ffi.ts';
import { requireDone } from '../../system/kernel-fault.ts';
import type { SystemCallNumbers } from '../../system/system-call-numbers.ts';
import { knownSystemCalls } from './system-calls.ts';

/** What was measured before the filter is made. */
export interface SeccompOptions {
  /** No process outside can be reached by `ptrace` and its like: they are for the command's own processes. */
  readonly reachesOwnAlone?: boolean;
  /** Nor be named: limits of other processes are those of its own. */
  readonly namesOwnAlone?: boolean;
}

/** Sockets of these belong to a network namespace. */
const families = { AF_UNIX: 1, AF_INET: 2, AF_INET6: 10, AF_NETLINK: 16, AF_PACKET: 17 } as const;
/** personality(2): as Linux 2.6 numbers its versions, of 32 bits, both, and without random addresses, which debuggers and sanitizers want. */
const personalities = [0, 8, 0x20000, 0x20008, 0x40000, 0xffffffff];

const SECCOMP_SET_MODE_FILTER = 1;
const allow = 0x7fff0000;
const killProcess = 0x80000000;
const failWith = (errno: number): number => 0x00050000 | errno;
/** All kinds of namespaces, and that of control groups. */
const CLONE_NEW_ANY = 0x7e020000;
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;
/** _IO(0xAA, 0x00) of /dev/userfaultfd. */
const USERFAULTFD_IOC_NEW = 0xaa00;
/** The same on all architectures. */
const ioUringEnter = 426;
const x32Bit = 0x40000000;

// struct seccomp_data: nr, arch, instruction pointer, six arguments of 64 bits, little endian.
const offsetOf = { number: 0, architecture: 4, lowOf: (argument: number): number => 16 + 8 * argument };
const auditArchitecture: Readonly<Record<string, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };

/** One instruction of classic BPF: code, jump if true, jump if false, operand. */
type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, operand: number];

const load = (offset: number): Instruction => [0x20, 0, 0, offset];
const jumpIfEqual = (value: number, yes: number, no: number): Instruction => [0x15, yes, no, value];
const jump = (distance: number): Instruction => [0x05, 0, 0, distance];
const jumpIfAtLeast = (value: number, yes: number, no: number): Instruction => [0x35, yes, no, value];
const jumpIfAnyBit = (value: number, yes: number, no: number): Instruction => [0x45, yes, no, value];
const verdict = (value: number): Instruction => [0x06, 0, 0, value];

/** The filter as the kernel takes it: eight bytes an instruction. Throws an Error for another architecture. */
export function seccompProgram(
  architecture: string = process.arch,
  options: SeccompOptions = {},
): Uint8Array {
  const verdicts = verdictsOf(architecture, options);
  const instructions: Instruction[] = [
    load(offsetOf.architecture),
    // A 32-bit program would reach the same calls under other numbers.
    jumpIfEqual(auditArchitecture[architecture] ?? 0, 1, 0),
    verdict(killProcess),
    load(offsetOf.number),
  ];
  if (architecture === 'x64')
    instructions.push(jumpIfAtLeast(x32Bit, 0, 1), verdict(failWith(constants.errno.EPERM)));
  instructions.push(...decisionTree(rangesOf(verdicts)));
  return encode(instructions);
}

type Block = readonly Instruction[];

const allowIt: Block = [verdict(allow)];
const isNotThere: Block = [verdict(failWith(constants.errno.ENOSYS))];

/** By number: what happens with a call. What is not in it is not there. */
function verdictsOf(architecture: string, options: SeccompOptions): ReadonlyMap<number, Block> {
  if (architecture !== 'x64' && architecture !== 'arm64')
    throw new Error(`the jail knows x64 and arm64, not ${architecture}`);
  const refuseIt: Block = [verdict(failWith(constants.errno.EPERM))];
  const rules = {
    allowed: allowIt,
    reaching: options.reachesOwnAlone === true ? allowIt : refuseIt,
    refused: refuseIt,
  };
  const partly = partlyAllowed(options);
  const verdicts = new Map<number, Block>();
  for (const { name, rule, numbers } of knownSystemCalls()) {
    const number = numbers[architecture];
    if (number !== undefined) verdicts.set(number, partly[name] ?? rules[rule]);
  }
  return verdicts;
}

/** Calls that depend on an argument, of which a filter sees the value and not what it leads to. */
function partlyAllowed({ namesOwnAlone }: SeccompOptions): Readonly<Record<string, Block>> {
  const { EPERM, EAFNOSUPPORT } = constants.errno;
  return {
    // Its flags stand in memory, where a filter cannot look; libc falls back to clone.
    clone3: isNotThere,
    // The helper's runtime waits with it until the second filter comes.
    io_uring_enter: allowIt,
    clone: [
      load(offsetOf.lowOf(0)),
      jumpIfAnyBit(CLONE_NEW_ANY, 0, 1),
      verdict(failWith(EPERM)),
      verdict(allow),
    ],
    // Limits of others: the agent's descriptors and processor time are not the workload's to set.
    ...(namesOwnAlone === true ? {} : { prlimit64: onlyIfOneOf(0, [0], EPERM) }),
    // Others, such as AF_VSOCK to the host of a virtual machine, lead out of every namespace. As a kernel without them.
    socket: onlyIfOneOf(0, Object.values(families), EAFNOSUPPORT),
    personality: onlyIfOneOf(0, personalities, EPERM),
    // The kernel reads 32 bits of the command, so the filter must look at just these (CVE-2019-10063).
    ioctl: [
      load(offsetOf.lowOf(1)),
      jumpIfEqual(TIOCSTI, 2, 0),
      jumpIfEqual(TIOCLINUX, 1, 0),
      jumpIfEqual(USERFAULTFD_IOC_NEW, 0, 1),
      verdict(failWith(EPERM)),
      verdict(allow),
    ],
  };
}

function onlyIfOneOf(argument: number, values: readonly number[], errno: number): Block {
  return [
    load(offsetOf.lowOf(argument)),
    ...values.map((value, index) => jumpIfEqual(value, values.length - index, 0)),
    verdict(failWith(errno)),
    verdict(allow),
  ];
}

/** Numbers from `first` on, up to the next range. */
interface Range {
  readonly first: number;
  readonly block: Block;
}

function rangesOf(verdicts: ReadonlyMap<number, Block>): readonly Range[] {
  const ranges: Range[] = [];
  const end = Math.max(...verdicts.keys()) + 1;
  for (let number = 0; number <= end; number++) {
    const block = verdicts.get(number) ?? isNotThere;
    const before = ranges.at(-1)?.block;
    if (before === undefined || !isSame(before, block)) ranges.push({ first: number, block });
  }
  return ranges;
}

function isSame(a: Block, b: Block): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/** Halves the ranges until one is left. Distances of conditional jumps have eight bits, so each leads over one that is not. */
function decisionTree(ranges: readonly Range[]): Block {
  const [only] = ranges;
  if (only === undefined) return isNotThere;
  if (ranges.length === 1) return only.block;
  const middle = ranges.length >> 1;
  const [left, right] = [decisionTree(ranges.slice(0, middle)), decisionTree(ranges.slice(middle))];
  return [jumpIfAtLeast(ranges[middle]?.first ?? 0, 0, 1), jump(left.length), ...left, ...right];
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

/** A second filter, in front of the last step: the runtime of the helper enters a ring of its own until then. The stricter one counts. */
export function ringProgram(): Uint8Array {
  return encode([
    load(offsetOf.number),
    jumpIfEqual(ioUringEnter, 0, 1),
    verdict(failWith(constants.errno.EPERM)),
    verdict(allow),
  ]);
}

/** Puts a filter on the calling thread and what it executes; no_new_privs must be set. Throws an Error if refused. */
export function installFilter(calls: SystemCalls, numbers: SystemCallNumbers, program: Uint8Array): void {
  // struct sock_fprog { u16 length in instructions; pointer }
  const header = Buffer.alloc(16);
  header.writeUInt16LE(program.length / 8, 0);
  header.writeBigUInt64LE(calls.address(program), 8);
  requireDone('seccomp', calls.call(numbers.seccomp, SECCOMP_SET_MODE_FILTER, 0, header));
}
