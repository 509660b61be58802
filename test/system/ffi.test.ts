import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../support/command.ts';
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

test('a program that uses it sees no warning of it, and every other warning', async () => {
  const module = fileURLToPath(new URL('../../src/system/ffi.ts', import.meta.url));
  const program = `
    const { openNative, openSystemCalls } = await import(${JSON.stringify(module)});
    const before = process.emitWarning;
    openNative()[Symbol.dispose]();
    openSystemCalls()[Symbol.dispose]();
    if (process.emitWarning !== before) console.error('the function was not put back');
    process.emitWarning('of somebody else', 'ExperimentalWarning');
  `;
  const env = { ...process.env, NODE_OPTIONS: '' };
  const options = process.versions['bun'] === undefined ? ['--input-type=module'] : [];
  const { code, stderr } = await runCommand(process.execPath, [...options, '-e', program], { env });
  assert.equal(code, 0, stderr);
  assert.match(stderr, /of somebody else/);
  assert.doesNotMatch(stderr, /FFI|not put back/);
});
