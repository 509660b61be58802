import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';

import { isMarkAlive, processMark } from '../../../src/agent/kernel/process-mark.ts';

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

test('a process of another start, of another place, or none, is not alive', () => {
  const mark = processMark() ?? assert.fail('there is no mark');
  const [place = '', pid = '', started = ''] = mark.split('-');
  assert.equal(isMarkAlive(mark), true);
  for (const other of [`${place}-${pid}-${started}0`, `00000000-${pid}-${started}`, `${place}-${pid}`, ''])
    assert.equal(isMarkAlive(other), false, other);
});
