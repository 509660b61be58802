// Control groups by the kernel, where this user may make one.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { CommandGroup, ownGroup } from '../../../src/agent/jail/command-group.ts';
import { watchDeath } from '../../../src/agent/jail/death-watch.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { isRunning, waitUntil } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

/** A process that starts others, which ignore what they can, each in a session of its own. */
async function family(): Promise<ChildProcess> {
  const child = spawn(
    'sh',
    ['-c', 'echo in; read -r _; trap "" TERM HUP; for i in 1 2 3; do setsid sleep 300 & done; sleep 300; :'],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  await once(child.stdout, 'data');
  return child;
}

async function obstacle(): Promise<string | false> {
  const child = spawn('sleep', ['300'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const group = CommandGroup.open(child.pid);
  await group?.end();
  child.kill('SIGKILL');
  return group === undefined ? 'no control group can be made here' : false;
}
const skip = await obstacle();
const membersOf = ({ path }: CommandGroup): readonly number[] =>
  readFileSync(join(path, 'cgroup.procs'), 'latin1').trim().split('\n').filter(Boolean).map(Number);

test(
  'what a process in a group started ends with the group, in sessions of its own too',
  { skip },
  async () => {
    const child = await family();
    const group = CommandGroup.open(child.pid);
    assert.ok(group !== undefined);
    child.stdin?.write('\n');
    await waitUntil('it has started all', () => membersOf(group).length === 5);
    const members = membersOf(group);
    await group[Symbol.asyncDispose]();
    await waitUntil('all have ended', () => !members.some(isRunning));
    await waitUntil('the folder is gone', () => !existsSync(group.path));
    await group[Symbol.asyncDispose]();
  },
);

test('the watch ends a group whose owner is gone, and removes it', { skip }, async () => {
  const child = await family();
  const group = CommandGroup.open(child.pid);
  assert.ok(group !== undefined);
  child.stdin?.write('\n');
  await waitUntil('it has started all', () => membersOf(group).length === 5);
  const members = membersOf(group);
  const owner = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      '--input-type=module',
      '-e',
      `const { watchDeath } = await import(${JSON.stringify(new URL('../../../src/agent/jail/death-watch.ts', import.meta.url).href)});
       watchDeath({ group: ${JSON.stringify(group.path)} }); console.log('on'); setInterval(() => {}, 1e6);`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(owner.stdout, 'data');
  owner.kill('SIGKILL');
  await waitUntil('all have ended', () => !members.some(isRunning));
  await waitUntil('the folder is gone', () => !existsSync(group.path));
});

test('where none can be made nothing is', async () => {
  assert.equal(CommandGroup.open(undefined), undefined);
  assert.equal(CommandGroup.open(process.pid, '/nonexistent'), undefined);
  // A folder is no control group.
  await using directory = await temporaryDirectory();
  assert.equal(CommandGroup.open(process.pid, directory.path), undefined);
  using _watch = watchDeath({});
});

test('the group of this process is a folder, where there is a unified hierarchy', () => {
  const group = ownGroup();
  if (group !== undefined) assert.ok(existsSync(join(group, 'cgroup.procs')), group);
});

test('all that is waited for after the end of a command is two seconds', () => {
  const { leftoverGraceMs, leftoverKilledMs, leftoverKillRoundsMax } = defaultLimits;
  assert.ok(leftoverGraceMs + leftoverKilledMs <= 2_000);
  // Where neither a namespace nor a group holds, rounds of 20 ms.
  assert.ok(leftoverGraceMs + leftoverKillRoundsMax * 20 <= 2_000);
});
