// What is asked of the kernel, by its version; that the kernel does it is tested in jail-process.test.ts.

import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';

import type { SystemCallArgument, SystemCalls } from '../../../src/system/ffi.ts';
import { enterLandlock } from '../../../src/agent/jail/landlock.ts';
import { systemCallNumbers } from '../../../src/system/system-call-numbers.ts';

const numbers = systemCallNumbers('x64');

/** A kernel with that version of Landlock, or an errno; records the rulesets. */
function kernel(abi: number): SystemCalls & { readonly rulesets: bigint[][]; readonly rules: number[] } {
  const rulesets: bigint[][] = [];
  const rules: number[] = [];
  const call = (number: number, ...args: readonly SystemCallArgument[]): number => {
    if (number === numbers.landlock_create_ruleset) {
      const [attributes] = args;
      if (!(attributes instanceof Uint8Array)) return abi;
      rulesets.push([0, 8, 16].map((offset) => Buffer.from(attributes).readBigUInt64LE(offset)));
    }
    if (number === numbers.landlock_add_rule) rules.push(number);
    return 7;
  };
  return { call, address: () => 0n, spawn: () => 0, [Symbol.dispose]: () => {}, rulesets, rules };
}

test('from ABI 6 signals and abstract sockets are scoped, and no right on files is handled', () => {
  const calls = kernel(7);
  assert.deepEqual(enterLandlock(calls, numbers), { abi: 7, scoped: true });
  assert.deepEqual(calls.rulesets, [[0n, 0n, 3n]]);
  assert.equal(calls.rules.length, 0);
});

test('before ABI 6 the domain handles what nobody misses, allows it everywhere, and says that signals are open', () => {
  const calls = kernel(5);
  assert.deepEqual(enterLandlock(calls, numbers), { abi: 5, scoped: false });
  assert.deepEqual(calls.rulesets, [[(1n << 11n) | (1n << 13n), 0n, 0n]]);
  assert.equal(calls.rules.length, 1);
});

test('a limit on writing handles every right to write that the version knows, and no right to read', () => {
  const calls = kernel(3);
  enterLandlock(calls, numbers, { fsWrite: ['/tmp'] });
  const [[handled = 0n] = []] = calls.rulesets;
  assert.equal(handled & ((1n << 0n) | (1n << 2n) | (1n << 3n)), 0n);
  assert.equal((handled >> 13n) & 3n, 3n);
  assert.equal((handled >> 1n) & 1n, 1n);
});

test('a kernel without Landlock is told as that', () => {
  assert.throws(() => enterLandlock(kernel(-constants.errno.ENOSYS), numbers), /no Landlock/);
  assert.throws(() => enterLandlock(kernel(-constants.errno.EOPNOTSUPP), numbers), /switched off/);
});
