import assert from 'node:assert/strict';
import { mock, test } from 'node:test';

import { Metrics, type ProcessCounts } from '../../src/gateway/metrics.ts';
import { WorkerCounts } from '../../src/gateway/worker-counts.ts';
import {
  WorkerChannel,
  type ChannelPort,
  type Responders,
} from '../../src/gateway/workers/worker-channel.ts';
import type { WorkerOrder, WorkerReport } from '../../src/gateway/workers/worker-messages.ts';
import { WorkerSeat } from '../../src/gateway/workers/worker-seat.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';

type Listener = Parameters<ChannelPort['onMessage']>[0];

/** Both ends of a channel; what is sent is heard a turn later. */
function portPair(): readonly [ChannelPort, ChannelPort] {
  const listeners: Listener[][] = [[], []];
  const portOf = (own: number): ChannelPort => ({
    send: (message) =>
      queueMicrotask(() => {
        for (const listener of listeners[1 - own] ?? []) listener(message, undefined);
      }),
    onMessage: (listener) => void listeners[own]?.push(listener),
    onClosed: () => undefined,
  });
  return [portOf(0), portOf(1)];
}

/** Until it is over, or whoever asks has waited long enough. */
async function passTime(awaited: Promise<unknown>): Promise<void> {
  let isOver = false;
  void awaited.catch(() => undefined).finally(() => (isOver = true));
  for (let ms = 0; ms <= defaultLimits.workerReplyTimeoutMs; ms += 100) {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    if (isOver) return;
    mock.timers.tick(100);
  }
}

test('a worker that hangs keeps nobody from what the others have counted', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const metrics = new Metrics();
    metrics.countLimit('streamsMax');
    const responders: Responders = { all: () => counts.all() };
    const workerOf = (number: number, port: ChannelPort) => ({
      number,
      channel: new WorkerChannel<WorkerOrder, WorkerReport>({ port, responders, onWord: () => undefined }),
    });
    const [[near, far], [hanging]] = [portPair(), portPair()];
    const serving = [workerOf(1, near), workerOf(2, hanging)];
    const counts: WorkerCounts = new WorkerCounts(() => ({ serving, restarts: 3 }));
    const seat = new WorkerSeat({
      port: far,
      onStart: () => undefined,
      onReload: () => undefined,
      onDrain: () => undefined,
      counts: () => metrics.counts(),
    });
    const asked = seat.allCounts();
    await passTime(asked);
    // The supervisor gives what it has.
    const { counts: told, restarts } = (await asked) as ProcessCounts;
    assert.equal(restarts, 3);
    assert.equal(
      told.reduce((sum, { limitHits }) => sum + (limitHits.get('streamsMax') ?? 0), 0),
      1,
    );
  } finally {
    mock.timers.reset();
  }
});
