import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ChannelPort } from '../../../src/gateway/workers/worker-channel.ts';
import type { WorkerStart } from '../../../src/gateway/workers/worker-messages.ts';
import { WorkerProcesses } from '../../../src/gateway/workers/worker-processes.ts';

test('a drain of the longest time that a configuration can name is a drain', async () => {
  const told: string[] = [];
  const { promise: ended, resolve: end } = Promise.withResolvers<string>();
  const port: ChannelPort = {
    // What a worker is told is an object with a kind.
    send: (message) => told.push((message as { word: { kind: string } }).word.kind),
    onMessage: (listener) => {
      queueMicrotask(() => listener({ word: { kind: 'here' } }, undefined));
      queueMicrotask(() => listener({ word: { kind: 'ready' } }, undefined));
    },
    onClosed: () => undefined,
  };
  const ends: string[] = [];
  const workers = new WorkerProcesses({
    count: 1,
    launch: () => ({
      port,
      ended,
      kill: () => {
        ends.push('killed');
        end('SIGKILL');
      },
    }),
    // Nobody looks at it.
    start: () => ({}) as WorkerStart,
    responders: () => ({}),
    onReport: () => undefined,
    onServing: () => undefined,
    onGone: () => undefined,
    log: () => undefined,
  });
  await workers.open();
  const closed = workers.close(0x7fff_ffff);
  // A time that a timer cannot have is 1 ms for it, which is over before this one.
  setTimeout(() => {
    ends.push('drained');
    end('exit 0');
  }, 2);
  await closed;
  assert.equal(told.at(-1), 'drain');
  assert.deepEqual(ends, ['drained']);
});
