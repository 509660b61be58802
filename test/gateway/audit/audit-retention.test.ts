import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { AuditRetention } from '../../../src/gateway/audit/audit-retention.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { AuditBounds, AuditStore } from '../../../src/store/store.ts';
import { auditEntry } from '../../conformance/audit.ts';

const dayMs = 86_400_000;

function open(
  store: AuditStore,
  keep: { keepDays?: number; keepEvents?: number; keepBytes?: number },
  onFault: (error: ProxyError) => void = (error) => assert.fail(error),
  onReserve: (isUsedUp: boolean) => void = () => undefined,
): AuditRetention {
  const { keepDays, keepEvents, keepBytes } = keep;
  const clock = (): number => 100 * dayMs;
  return new AuditRetention({ store, keepDays, keepEvents, keepBytes, clock, onFault, onReserve });
}

test('events beyond the days or the number go, in as many batches as it takes', async () => {
  await using store = await openStore('sqlite::memory:');
  const old = Array.from({ length: 1200 }, (_, i) => auditEntry(`old-${i}`, { timeMs: 9 * dayMs }));
  const young = Array.from({ length: 20 }, (_, i) => auditEntry(`young-${i}`, { timeMs: 11 * dayMs }));
  await store.audit.append([...old, ...young]);
  {
    await using retention = open(store.audit, { keepDays: 90 });
    await retention.look();
  }
  assert.equal((await store.audit.query({ limit: 2000 })).length, 20);
  await using retention = open(store.audit, { keepEvents: 5 });
  await retention.look();
  const left = await store.audit.query({ limit: 2000 });
  assert.deepEqual(
    left.map(({ id }) => id),
    ['young-15', 'young-16', 'young-17', 'young-18', 'young-19'],
  );
});

test('no call removes more than its batch, and closing ends a long look', async () => {
  const calls: AuditBounds[] = [];
  const { promise: started, resolve } = Promise.withResolvers<undefined>();
  const endless: Pick<AuditStore, 'prune'> = {
    prune: async (bounds) => {
      calls.push(bounds);
      resolve(undefined);
      return bounds.batch;
    },
  };
  // Only `prune` is called.
  const retention = open(endless as AuditStore, { keepDays: 1 });
  const looking = retention.look();
  await started;
  await retention.close();
  await looking;
  assert.ok(calls.length < 1000);
  assert.ok(calls.every(({ batch }) => batch <= 500));
});

test('without bounds nothing is removed, and a store that fails is reported', async () => {
  const faults: ProxyError[] = [];
  let calls = 0;
  const failing: Pick<AuditStore, 'prune'> = {
    prune: () => {
      calls += 1;
      return Promise.reject(new ProxyError('store_unavailable', 'gone'));
    },
  };
  await using unbounded = open(failing as AuditStore, {}, (error) => faults.push(error));
  await unbounded.look();
  assert.equal(calls, 0);
  await using bounded = open(failing as AuditStore, { keepDays: 1 }, (error) => faults.push(error));
  await bounded.look();
  assert.deepEqual(
    faults.map(({ code }) => code),
    ['store_unavailable'],
  );
});

test('an eighth of the bytes is kept free, and it is told when that is used up and when it is there again', async () => {
  await using store = await openStore('sqlite::memory:');
  const flood = Array.from({ length: 6000 }, (_, i) => auditEntry(`${i}`, { sessionId: 'flood' }));
  await store.audit.append(flood);
  const held = await store.audit.held();
  const keepBytes = Math.floor(held.bytes / 2);
  const told: boolean[] = [];
  await using retention = open(store.audit, { keepBytes }, undefined, (isUsedUp) => told.push(isUsedUp));
  await retention.look();
  const { bytes } = await store.audit.held();
  assert.ok(bytes <= (keepBytes * 7) / 8 && bytes > keepBytes * 0.8, `${bytes} of ${keepBytes}`);
  assert.equal(told[0], true);
  assert.equal(told.at(-1), false);
  const [last] = flood.slice(-1);
  await store.audit.append([auditEntry('more', { sessionId: 'quiet' })]);
  await retention.look();
  const kept = new Set((await store.audit.query({ limit: 10_000 })).map(({ id }) => id));
  assert.ok(kept.has('0') && kept.has('999') && kept.has('more') && kept.has(last?.id ?? ''));
});

test('while a day goes the bytes are looked at, and closing ends it', async () => {
  const began = Promise.withResolvers<AbortSignal | undefined>();
  const told: boolean[] = [];
  const pruned: AuditBounds[] = [];
  const slow: Pick<AuditStore, 'prune' | 'held' | 'dropDay'> = {
    dropDay: async (beforeMs, signal) => {
      assert.equal(beforeMs, 99 * dayMs);
      began.resolve(signal);
      await once(signal ?? assert.fail('no signal'), 'abort');
      return 0;
    },
    held: async () => ({ events: 1, bytes: 11 }),
    prune: async (bounds) => {
      pruned.push(bounds);
      return 0;
    },
  };
  // Only these are called.
  const retention = open(slow as AuditStore, { keepDays: 1, keepBytes: 10 }, undefined, (isUsedUp) =>
    told.push(isUsedUp),
  );
  const looking = retention.look();
  await began.promise;
  while (pruned.length === 0) await nextTurn();
  assert.deepEqual([told, pruned.map(({ leavesDays }) => leavesDays)], [[true], [true]]);
  await retention.close();
  await looking;
});

test('days go one after the other, until one has to stay', async () => {
  const left = [5, 7, 0, 9];
  const days: Pick<AuditStore, 'prune' | 'dropDay'> = {
    dropDay: async () => left.shift() ?? 0,
    prune: async () => 0,
  };
  // Only these are called.
  await using retention = open(days as AuditStore, { keepDays: 1 });
  await retention.look();
  assert.deepEqual(left, [9]);
});

test('room for the days to come is made whatever is kept, and who runs out of it is told', async () => {
  const faults: string[] = [];
  const rooms: (number | undefined | Error)[] = [
    7,
    undefined,
    1,
    new ProxyError('store_unavailable', 'refused'),
  ];
  for (const room of rooms) {
    const full: Pick<AuditStore, 'makeRoom'> = {
      makeRoom: () => (room instanceof Error ? Promise.reject(room) : Promise.resolve(room)),
    };
    // Only `makeRoom` is called.
    await using retention = open(full as AuditStore, {}, ({ message }) => faults.push(message));
    await retention.look();
    // Once for many looks.
    await retention.look();
  }
  assert.match(faults[0] ?? '', /no more tables for days of the audit: days ahead 1\./);
  assert.deepEqual(faults.splice(0).slice(1), ['refused']);
  const narrow: Pick<AuditStore, 'roomProblems' | 'prune'> = {
    roomProblems: (keepDays) => Promise.resolve([`${keepDays} days do not fit.`]),
    prune: () => Promise.resolve(0),
  };
  await using retention = open(narrow as AuditStore, { keepDays: 36_500 }, ({ message }) =>
    faults.push(message),
  );
  await retention.look();
  assert.equal(faults.length, 1);
  assert.match(faults[0] ?? '', /^36500 days do not fit\. See docs/);
});
