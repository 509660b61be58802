// The filter as a program: run here by a small interpreter, and by the kernel in jail-process.test.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { seccompProgram } from '../../../src/agent/jail/seccomp.ts';
import { systemCallNumbers } from '../../../src/system/system-call-numbers.ts';

const architectures = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;
const responses = new Map([
  [0x7fff0000, 'allow'],
  [0x00050001, 'EPERM'],
  [0x00050026, 'ENOSYS'],
  [0x00050061, 'EAFNOSUPPORT'],
  [0x80000000, 'kill'],
]);

interface Call {
  readonly architecture?: number;
  readonly number: number;
  readonly args?: readonly bigint[];
}

/** Classic BPF, the few instructions that are used. */
function judge(name: keyof typeof architectures, call: Call): string | undefined {
  const program = Buffer.from(seccompProgram(name));
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call.number, 0);
  data.writeUInt32LE(call.architecture ?? architectures[name], 4);
  for (const [index, value] of (call.args ?? []).entries()) data.writeBigUInt64LE(value, 16 + 8 * index);
  let accumulator = 0;
  for (let at = 0; at < program.length / 8; at++) {
    const code = program.readUInt16LE(at * 8);
    const operand = program.readUInt32LE(at * 8 + 4);
    const jump = (yes: boolean): number => program.readUInt8(at * 8 + (yes ? 2 : 3));
    if (code === 0x20) accumulator = data.readUInt32LE(operand);
    else if (code === 0x15) at += jump(accumulator === operand);
    else if (code === 0x35) at += jump(accumulator >= operand);
    else if (code === 0x45) at += jump((accumulator & operand) >>> 0 !== 0);
    else if (code === 0x06) return responses.get(operand) ?? operand.toString(16);
    else assert.fail(`code ${code.toString(16)}`);
  }
  return undefined;
}

for (const name of ['x64', 'arm64'] as const) {
  const numbers = systemCallNumbers(name);

  test(`${name}: calls that reach into other processes are refused`, () => {
    for (const call of [
      'ptrace',
      'process_vm_readv',
      'pidfd_getfd',
      'unshare',
      'setns',
      'io_uring_setup',
    ] as const)
      assert.equal(judge(name, { number: numbers[call] }), 'EPERM', call);
  });

  test(`${name}: ordinary calls are allowed`, () => {
    for (const call of ['openat', 'execve', 'wait4', 'close'] as const)
      assert.equal(judge(name, { number: numbers[call] }), 'allow', call);
  });

  test(`${name}: limits are set for oneself, not for others`, () => {
    assert.equal(judge(name, { number: numbers.prlimit64, args: [0n] }), 'allow');
    assert.equal(judge(name, { number: numbers.prlimit64, args: [77n] }), 'EPERM');
  });

  test(`${name}: clone makes processes but no user namespace, and clone3 is not there`, () => {
    assert.equal(judge(name, { number: numbers.clone, args: [17n] }), 'allow');
    assert.equal(judge(name, { number: numbers.clone, args: [0x10000011n] }), 'EPERM');
    assert.equal(judge(name, { number: numbers.clone3 }), 'ENOSYS');
  });

  test(`${name}: nothing is typed into the terminal, whatever the high half of the command is`, () => {
    assert.equal(judge(name, { number: numbers.ioctl, args: [0n, 0x5412n] }), 'EPERM');
    assert.equal(judge(name, { number: numbers.ioctl, args: [0n, 0x1_0000_5412n] }), 'EPERM');
    assert.equal(judge(name, { number: numbers.ioctl, args: [0n, 0x5413n] }), 'allow');
  });

  test(`${name}: sockets are of families that a network namespace holds, whatever the high half says`, () => {
    for (const family of [1n, 2n, 10n, 16n, 17n, 38n])
      assert.equal(judge(name, { number: numbers.socket, args: [family, 1n, 0n] }), 'allow', String(family));
    for (const family of [0n, 31n, 40n, 42n, 0x2_0000_0028n, 0xffff_ffffn])
      assert.equal(judge(name, { number: numbers.socket, args: [family] }), 'EAFNOSUPPORT', String(family));
  });

  test(`${name}: another architecture's calls end the process`, () => {
    assert.equal(judge(name, { architecture: 0x40000003, number: 1 }), 'kill');
  });
}

test('x32 calls are refused', () => {
  assert.equal(judge('x64', { number: 0x40000000 }), 'EPERM');
});

test('another architecture has no filter', () => {
  assert.throws(() => seccompProgram('riscv64'), /x64 and arm64/);
});
