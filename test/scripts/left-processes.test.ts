import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { leftProcesses, markName } from '../../scripts/left-processes.ts';

test('a process is found by the mark that it inherited, and no other', async () => {
  const mark = `mark-${process.pid}`;
  assert.deepEqual(leftProcesses(mark), []);
  const child = spawn('sh', ['-c', 'echo ready; exec sleep 60'], {
    env: { PATH: process.env['PATH'], [markName]: mark },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(child, 'close');
  try {
    await once(child.stdout, 'data');
    assert.deepEqual(
      leftProcesses(mark).map(({ pid }) => pid),
      [child.pid],
    );
    assert.deepEqual(leftProcesses(`${mark}0`), []);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
  assert.deepEqual(leftProcesses(mark), []);
});
