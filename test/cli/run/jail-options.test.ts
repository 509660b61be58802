// What the options ask for, what `--isolate=auto` goes on without, and what ends the start. The helpers here are of the shell and say what a test wants.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { runDefinition } from '../../../src/cli/commands/run-definition.ts';
import { parseCommand } from '../../../src/cli/definition/parse-arguments.ts';
import { type JailOptions, openJailFor, readJailOptions } from '../../../src/cli/run/jail-options.ts';
import { isRunning, waitForFile, waitUntil } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const skip =
  process.versions['bun'] === undefined
    ? false
    : 'bun test does not deliver what comes on a fourth descriptor';
const read = (...args: readonly string[]): JailOptions =>
  readJailOptions(parseCommand(runDefinition, [...args, '--', 'true']).options);

/** One layer that needs no namespace. */
const options = read('--jail-layers', 'landlock');

const open = (script: string, isolate: 'auto' | 'require' = 'auto') =>
  openJailFor({ ...options, isolate, helper: { file: '/bin/sh', args: ['-c', script] } }, true);
const reporting = (report: unknown): string =>
  `read -r _ <&3; echo '${JSON.stringify(report)}' >&3; read -r _ <&3`;

test('a layer that the kernel refuses is left out as long as one is left', { skip }, async () => {
  const layers = [
    { layer: 'landlock', held: false, reason: 'the kernel has none' },
    { layer: 'seccomp', held: true },
  ];
  await using jail = await open(reporting({ layers }));
  assert.deepEqual(jail?.report.layers, layers);
  await assert.rejects(open(reporting({ layers }), 'require'), { code: 'jail_refused' });
});

test('with no layer left nothing starts', { skip }, async () => {
  const layers = [{ layer: 'landlock', held: false, reason: 'the kernel has none' }];
  await assert.rejects(open(reporting({ layers })), { code: 'jail_refused', message: /only --isolate=off/ });
});

test('a helper that cannot be started, ends or is killed ends the start', { skip }, async () => {
  for (const script of ['exit 0', 'exit 1', 'kill -9 $$', 'read -r _ <&3; exit 71'])
    await assert.rejects(open(script), { code: 'jail_refused' }, script);
  const helper = { file: '/nonexistent/helper', args: [] };
  await assert.rejects(openJailFor({ ...options, helper }, true), { code: 'jail_refused' });
});

test('a helper that is late or stopped ends the start, and is ended', { skip }, async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, 'pid');
  const write = `echo $$ > ${file}.new; mv ${file}.new ${file}`;
  // It never says a word, or would say all if it were not stopped.
  for (const script of [
    `${write}; exec sleep 300`,
    `${write}; kill -STOP $$; ${reporting({ layers: [{ layer: 'landlock', held: true }] })}`,
  ]) {
    const helper = { file: '/bin/sh', args: ['-c', script], enterTimeoutMs: 300 };
    const opening = openJailFor({ ...options, isolate: 'auto', helper }, true);
    opening.catch(() => {});
    const pid = Number(await waitForFile(file));
    await assert.rejects(opening, { code: 'jail_refused', message: /was not ready after 300 ms/ });
    await waitUntil('it has ended', () => !isRunning(pid));
  }
});

test('a layer that fails for another reason than a refusal ends the start', { skip }, async () => {
  const report = { layers: [{ layer: 'seccomp', held: true }], fault: 'unshare: ENOMEM' };
  await assert.rejects(open(reporting(report)), { code: 'jail_refused', message: /unshare: ENOMEM/ });
});

test('ports of outside are numbers of ports', () => {
  assert.deepEqual(read('--allow-local', '5432', '--allow-local=80').allowLocal, [5432, 80]);
  for (const wrong of ['0', '65536', 'x', '53', '80,81', ''])
    assert.throws(() => read(`--allow-local=${wrong}`), { code: 'usage' });
});

test('what is to be written has to be there, and is named where it is not', () => {
  assert.deepEqual(read('--fs-write', '/tmp').plan.fsWrite, ['/tmp']);
  assert.throws(() => read('--fs-write', '/tmp', '--fs-write=/nonexistent'), {
    code: 'usage',
    message: '--fs-write /nonexistent: it does not exist',
  });
});

test('without a jail only by --isolate=off', async () => {
  assert.equal(await openJailFor({ ...read('--isolate', 'off') }, true), undefined);
});

test('without a jail only what does not need one can be given', () => {
  assert.equal(read('--isolate', 'off').isolate, 'off');
  assert.equal(read('--isolate=off', '--capture-only', '--capture-loopback').captureOnly, true);
  for (const args of [
    ['--user', '0'],
    ['--fs-write', '/tmp'],
    ['--fs-read', '/tmp'],
    ['--allow-local', '5432'],
    ['--jail-layers', 'landlock'],
    ['--capture-only'],
    ['--capture-ports', 'policy'],
    ['--capture-ports', 'all'],
  ])
    assert.throws(() => read('--isolate', 'off', ...args), { code: 'usage', message: /need the jail/ });
});

test('layers are those that are named, in the order in which they are written', () => {
  assert.deepEqual(read('--jail-layers', 'seccomp, landlock').plan.layers, ['seccomp', 'landlock']);
  assert.throws(() => read('--jail-layers', 'signals'), {
    code: 'usage',
    message:
      '--jail-layers takes files, ipc, processes, network, no-new-privs, landlock, seccomp, capabilities, not "signals"',
  });
  assert.ok(read().plan.layers.includes('network'));
});

test('what an option needs has to be among the layers', () => {
  assert.equal(read('--capture-ports', 'all').plan.allPorts, 'required');
  assert.equal(read('--capture-ports', 'policy').plan.allPorts, undefined);
  assert.equal(read().plan.allPorts, 'wanted');
  for (const args of [
    ['--fs-write', '/tmp', '--jail-layers', 'seccomp'],
    ['--capture-only', '--jail-layers', 'seccomp'],
    ['--capture-ports', 'all', '--jail-layers', 'seccomp'],
  ])
    assert.throws(() => read(...args), { code: 'usage', message: /needs the layer/ });
});
