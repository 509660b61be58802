import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { type Delivery, DeliveryQueue } from '../../../src/gateway/telemetry/delivery-queue.ts';
import { logRequest, traceRequest } from '../../../src/gateway/telemetry/otlp-messages.ts';
import { defaultLimits, type Limits } from '../../../src/protocol/limits.ts';

interface Scene {
  readonly queue: DeliveryQueue;
  readonly counts: Record<'sent' | 'dropped', number>;
  readonly limits: string[];
  readonly logged: string[];
  readonly batches: (readonly string[])[];
  readonly pauses: number[];
}

function scene(
  deliver: (batch: readonly string[], signal: AbortSignal) => Promise<Delivery>,
  limits: Partial<Limits> = {},
): Scene {
  const counts = { sent: 0, dropped: 0 };
  const hit: string[] = [];
  const logged: string[] = [];
  const batches: (readonly string[])[] = [];
  const pauses: number[] = [];
  const queue = new DeliveryQueue({
    name: 'traces',
    deliver: (batch, signal) => {
      batches.push(batch);
      return deliver(batch, signal);
    },
    limits: { ...defaultLimits, ...limits },
    onLimit: (limit) => hit.push(limit),
    onCount: (_name, outcome, count) => (counts[outcome] += count),
    log: (_level, message) => logged.push(message),
    flushDelayMs: 1,
    pause: (ms) => {
      pauses.push(ms);
      return Promise.resolve();
    },
  });
  return { queue, counts, limits: hit, logged, batches, pauses };
}

const taken: Delivery = { outcome: 'taken', refused: 0 };
const fullBatch = defaultLimits.telemetryBatchEventsMax;

async function untilTrue(holds: () => boolean): Promise<void> {
  while (!holds()) await nextTurn();
}

/** Never responds until it is told to end. */
const silent = (_batch: readonly string[], signal: AbortSignal): Promise<Delivery> =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve({ outcome: 'later', reason: 'it ended' }));
  });

test('events go in order, in batches, and each once', async () => {
  await using stack = new AsyncDisposableStack();
  const { queue, counts, batches } = scene(() => Promise.resolve(taken));
  stack.use(queue);
  const events = Array.from({ length: fullBatch * 2 + 3 }, (_, i) => `{"i":${i}}`);
  for (const json of events) queue.offer(json);
  await untilTrue(() => counts.sent === events.length);
  assert.deepEqual(batches.flat(), events);
  assert.ok(batches.every(({ length }) => length <= fullBatch));
  assert.equal(counts.dropped, 0);
});

test('a receiver that never responds bounds what waits for it; the rest is dropped at once, and counted', async () => {
  const { queue, counts, limits } = scene(silent, { telemetryQueueBytesMax: 100_000 });
  const event = JSON.stringify({ text: 'x'.repeat(990) });
  for (let i = 0; i < 100_000; i += 1) queue.offer(event);
  const room = Math.floor(100_000 / event.length);
  assert.equal(counts.dropped, 100_000 - room);
  assert.equal(limits.length, counts.dropped);
  assert.deepEqual(new Set(limits), new Set(['telemetryQueueBytesMax']));
  await queue.close();
  assert.equal(counts.dropped, 100_000, 'with the end all of them');
  queue.offer(event);
  assert.equal(counts.dropped, 100_001, 'what is closed takes nothing');
});

test('memory of a receiver that never responds is that of its queue', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { queue, counts } = scene(silent);
  const usedBytes = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = usedBytes();
  // Some 100 MB, of which 8 MiB have room.
  for (let i = 0; i < 100_000; i += 1) queue.offer(JSON.stringify({ i, text: 'x'.repeat(1_000) }));
  const grown = usedBytes() - before;
  assert.ok(counts.dropped > 90_000);
  assert.ok(grown < 2 * defaultLimits.telemetryQueueBytesMax, `${grown} bytes`);
  await queue.close();
});

test('no more events wait than telemetryQueueEventsMax', async () => {
  const { queue, counts, limits } = scene(silent, { telemetryQueueEventsMax: 10 });
  for (let i = 0; i < 12; i += 1) queue.offer('{}');
  assert.equal(counts.dropped, 2);
  assert.deepEqual(limits, ['telemetryQueueEventsMax', 'telemetryQueueEventsMax']);
  await queue.close();
});

test('what a receiver may take later is offered again, and what it refuses is not', async () => {
  await using stack = new AsyncDisposableStack();
  const deliveries: Delivery[] = [
    { outcome: 'later', reason: 'busy', afterMs: 1 },
    taken,
    { outcome: 'refused', reason: 'bad' },
    { outcome: 'taken', refused: 1 },
  ];
  const { queue, counts, batches, logged } = scene(() => Promise.resolve(deliveries.shift() ?? taken));
  stack.use(queue);
  for (const [json, total] of [
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ] as const) {
    queue.offer(json);
    await untilTrue(() => counts.sent + counts.dropped === total);
  }
  assert.deepEqual(batches, [['a'], ['a'], ['b'], ['c']]);
  assert.deepEqual(counts, { sent: 1, dropped: 2 });
  // Each change of state once, not each failure.
  assert.deepEqual(
    logged.map((line) => /is (not taken: \w+|taken again)/.exec(line)?.[1]),
    ['not taken: busy', 'taken again', 'not taken: bad', 'taken again'],
  );
});

test('a batch that cannot be encoded is dropped, and the queue goes on with the next', async () => {
  await using stack = new AsyncDisposableStack();
  const origin = { version: '1', resource: {} };
  const { queue, counts, logged } = scene(async (batch) => {
    const [traces, logs] = [await traceRequest(batch, origin), await logRequest(batch, origin, 0)];
    return traces.length + logs.length > 0 ? taken : { outcome: 'refused', reason: 'empty' };
  });
  stack.use(queue);
  const event = { kind: 'exchange', traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), outcome: 'completed' };
  queue.offer(JSON.stringify({ ...event, time: 'garbage' }));
  await untilTrue(() => counts.dropped === 1);
  queue.offer('no JSON');
  await untilTrue(() => counts.dropped === 2);
  queue.offer(JSON.stringify({ ...event, time: '2031-01-01T00:00:00.000Z' }));
  await untilTrue(() => counts.sent + counts.dropped === 3);
  assert.deepEqual(counts, { sent: 1, dropped: 2 });
  assert.match(logged[0] ?? '', /cannot be made/);
  // At the end as well.
  queue.offer(JSON.stringify({ ...event, time: 'garbage' }));
  await queue.close();
  assert.deepEqual(counts, { sent: 1, dropped: 3 });
});

test('a batch that nobody takes is given up after telemetryAttemptsMax, and a collector cannot ask for a longer pause than ours', async () => {
  const { queue, counts, batches, pauses } = scene(() =>
    Promise.resolve({ outcome: 'later', reason: 'busy', afterMs: Number.MAX_SAFE_INTEGER }),
  );
  queue.offer('{}');
  await untilTrue(() => counts.dropped === 1);
  assert.equal(batches.length, defaultLimits.telemetryAttemptsMax);
  assert.deepEqual(new Set(pauses), new Set([defaultLimits.telemetryRetryDelayMsMax]));
  await queue.close();
});

test('pauses between attempts grow', async () => {
  const { queue, counts, pauses } = scene(() => Promise.resolve({ outcome: 'later', reason: 'busy' }));
  queue.offer('{}');
  await untilTrue(() => counts.dropped === 1);
  assert.deepEqual(pauses, [1_000, 2_000, 4_000, 8_000, 16_000]);
  await queue.close();
});

test('the end hands over what waits, and waits for nobody', async () => {
  const open = scene(() => Promise.resolve(taken));
  for (let i = 0; i < 5; i += 1) open.queue.offer('{}');
  await open.queue.close();
  assert.deepEqual(open.counts, { sent: 5, dropped: 0 });
  const failing = scene(() => Promise.resolve({ outcome: 'later', reason: 'busy' }));
  for (let i = 0; i < fullBatch * 3; i += 1) failing.queue.offer('{}');
  await failing.queue.close();
  await failing.queue.close();
  assert.deepEqual(failing.counts, { sent: 0, dropped: fullBatch * 3 });
});
