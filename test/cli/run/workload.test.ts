// The command that `run` runs, in a process of its own so that signals and exit codes are real.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';

import { runCommand } from '../../support/command.ts';
import { patienceMs } from '../../support/patience.ts';

const module = new URL('../../../src/cli/run/workload.ts', import.meta.url).href;
const script = `
  import { exitAs, runWorkload } from ${JSON.stringify(module)};
  process.exit(exitAs(await runWorkload(JSON.parse(process.argv[1]), process.env)));
`;

const start = (command: readonly string[]): [string, string[]] => [
  process.execPath,
  ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script, JSON.stringify(command)],
];

test('the exit code is the one of the command', async () => {
  for (const code of [0, 1, 42, 255]) {
    assert.equal((await runCommand(...start(['sh', '-c', `exit ${code}`]))).code, code);
  }
});

test('a command that a signal ended ends us by the same signal', async () => {
  for (const signal of ['SIGTERM', 'SIGKILL', 'SIGHUP'] as const) {
    const result = await runCommand(...start(['sh', '-c', `kill -${signal.slice(3)} $$`]));
    assert.deepEqual([result.code, result.signal], [null, signal]);
  }
});

test('standard input and output are the command’s own', async () => {
  const { stdout } = await runCommand(...start(['tr', 'a-z', 'A-Z']), { input: 'through' });
  assert.equal(stdout, 'THROUGH');
});

test('a program that is not there is 127, one that cannot be executed is 126, each in one line', async () => {
  const missing = await runCommand(...start(['no-such-program-anywhere']));
  assert.equal(missing.code, 127);
  assert.equal(
    missing.stderr,
    'upstreamproxy: cannot start no-such-program-anywhere: there is no such program on PATH [usage]\n',
  );
  const unusable = await runCommand(...start(['/dev/null']));
  assert.equal(unusable.code, 126);
  assert.match(
    unusable.stderr,
    /^upstreamproxy: cannot start \/dev\/null: this user has no permission \[usage\]\n$/,
  );
});

test('a signal that we get reaches the command, which may handle it', async () => {
  const command = ['sh', '-c', `trap 'echo got; exit 7' TERM; echo ready; while :; do sleep 0.05; done`];
  const [file, args] = start(command);
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: patienceMs });
  const ended = once(child, 'exit');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (line === 'ready') child.kill('SIGTERM');
  }
  assert.deepEqual(lines, ['ready', 'got']);
  assert.deepEqual(await ended, [7, null]);
});
