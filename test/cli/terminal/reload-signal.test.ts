import assert from 'node:assert/strict';
import { test } from 'node:test';

import { listenForReload } from '../../../src/cli/terminal/reload-signal.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a signal before anything can be reloaded is heeded later, and those during a reload make one more', async () => {
  const before = process.listenerCount('SIGWINCH');
  const held: (() => void)[] = [];
  const reload = (): Promise<void> => new Promise((resolve) => held.push(resolve));
  {
    using reloads = listenForReload(['SIGWINCH']);
    process.emit('SIGWINCH');
    reloads.heed(reload);
    assert.equal(held.length, 1);
    for (let i = 0; i < 5; i++) process.emit('SIGWINCH');
    await turn();
    assert.equal(held.length, 1);
    held[0]?.();
    await turn();
    assert.equal(held.length, 2);
    held[1]?.();
    await turn();
    assert.equal(held.length, 2);
    process.emit('SIGWINCH');
    assert.equal(held.length, 3);
    held[2]?.();
    await turn();
  }
  assert.equal(process.listenerCount('SIGWINCH'), before);
});
