import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';

import { StartWatch } from '../../../src/cli/run/start-watch.ts';

test('a program that waits is given up, and says how little it ran', async () => {
  // It reads what never comes.
  const child = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
  try {
    using watch = new StartWatch(child.pid, { quietMs: 20, totalMs: 1_000_000 });
    if (!watch.signal.aborted) await once(watch.signal, 'abort');
    assert.match(watch.reason, /^after \d+ ms, of which it used \d+ ms of a processor$/);
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});

test('one that runs is waited for, and not without end', async () => {
  let ranMs = 0;
  using watch = new StartWatch(1, { quietMs: 5, totalMs: 15 }, () => (ranMs += 100));
  if (!watch.signal.aborted) await once(watch.signal, 'abort');
  assert.equal(watch.reason, 'after 15 ms, of which it used 300 ms of a processor');
});

test('of a process that is gone nothing is waited for', async () => {
  using watch = new StartWatch(undefined, { quietMs: 1, totalMs: 1_000_000 });
  if (!watch.signal.aborted) await once(watch.signal, 'abort');
  assert.match(watch.reason, /used 0 ms/);
});
