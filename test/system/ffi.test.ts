import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { openNative } from '../../src/system/ffi.ts';

test('the dumpable flag and the core limit are those that the kernel tells elsewhere', () => {
  using native = openNative();
  assert.ok([0, 1, 2].includes(native.dumpable()));
  const line = /^Max core file size +(\S+) +(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1'));
  const told = native.coreLimit().map((limit) => (limit === 2n ** 64n - 1n ? 'unlimited' : String(limit)));
  assert.deepEqual(told, line?.slice(1, 3));
});

test('opening and closing it again and again is harmless', () => {
  for (let i = 0; i < 3; i++) openNative()[Symbol.dispose]();
});
