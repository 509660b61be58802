import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { isMarkAlive, processMark, processPlace } from '../../../src/agent/kernel/process-mark.ts';
import { processState } from '../../../src/agent/kernel/process-table.ts';
import { waitUntil } from '../../support/program.ts';

test('a process is alive by its mark until it ends', async () => {
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  const mark = processMark(child.pid) ?? assert.fail('there is no mark');
  assert.equal(isMarkAlive(mark), true);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(isMarkAlive(mark), false);
  assert.equal(processMark(child.pid), undefined);
});

test('a process that has ended and is not waited for is not alive', async () => {
  // The shell becomes a program that waits for no child; only then does the child's input end.
  const parent = spawn('sh', ['-c', 'cat <&3 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
  });
  const [line] = (await once(parent.stdout ?? assert.fail(), 'data')) as [Buffer];
  const pid = Number(line.toString());
  await waitUntil('it waits', () => readFileSync(`/proc/${parent.pid}/comm`, 'utf8') === 'sleep\n');
  parent.stdio[3]?.destroy();
  await waitUntil('it has ended', () => processState(pid)?.state === 'Z');
  const { started } = processState(pid) ?? assert.fail('it was waited for');
  assert.equal(isMarkAlive(`${processPlace()}-${pid}-${started}`), false);
  parent.kill('SIGKILL');
  await once(parent, 'exit');
});

test('a process of another start, of another place, or none, is not alive', () => {
  const mark = processMark() ?? assert.fail('there is no mark');
  const [place = '', pid = '', started = ''] = mark.split('-');
  assert.equal(isMarkAlive(mark), true);
  for (const other of [`${place}-${pid}-${started}0`, `00000000-${pid}-${started}`, `${place}-${pid}`, ''])
    assert.equal(isMarkAlive(other), false, other);
});
