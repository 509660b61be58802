import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuditRetention } from '../../../src/gateway/audit/audit-retention.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { AuditBounds, AuditStore } from '../../../src/store/store.ts';
import { auditEntry } from '../../conformance/store.ts';

const dayMs = 86_400_000;

function open(
  store: AuditStore,
  keep: { keepDays?: number; keepEvents?: number },
  onFault: (error: ProxyError) => void = (error) => assert.fail(error),
): AuditRetention {
  const { keepDays, keepEvents } = keep;
  return new AuditRetention({ store, keepDays, keepEvents, clock: () => 100 * dayMs, onFault });
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
