import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { openAuditLog } from '../../../src/gateway/audit/audit-log.ts';
import { RoomWaiters } from '../../../src/gateway/audit/room-waiters.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

const eventOf = (sessionId: string, number: number): AuditEvent => ({
  v: 1,
  id: `${sessionId}-${number}`,
  time: '2026-01-01T00:00:00.000Z',
  kind: 'exchange',
  traceId: 'trace',
  verdict: 'allow',
  sessionId,
});

/** Whether it is settled by now. */
async function isSettled(promise: Promise<void> | undefined): Promise<boolean> {
  let settled = false;
  void promise?.then(() => (settled = true));
  await nextTurn();
  return settled;
}

test('what a session begins waits while the store lags behind it, long before any of it is refused, and others do not wait', async () => {
  const stored: PromiseWithResolvers<void>[] = [];
  const append = (): Promise<void> => {
    const one = Promise.withResolvers<void>();
    stored.push(one);
    return one.promise;
  };
  const limits = { ...defaultLimits, auditQueueEventsMax: 600, auditFlushDelayMs: 1 };
  const log = await openAuditLog({ store: { append, leftOpen: async () => [] }, limits });
  let queued = 0;
  while (log.room('busy') === undefined) log.append(eventOf('busy', (queued += 1)));
  assert.equal(queued, 100);
  assert.equal(log.overRate('busy'), undefined);
  assert.equal(log.healthy, true);
  assert.equal(log.room('other'), undefined);
  const waiting = log.room('busy');
  assert.equal(await isSettled(waiting), false);
  const flushed = log.flush();
  assert.equal(await isSettled(waiting), false);
  stored[0]?.resolve();
  await flushed;
  assert.equal(await isSettled(waiting), true);
  assert.equal(log.room('busy'), undefined);
  const closed = log.close();
  for (const one of stored) one.resolve();
  await closed;
});

test('nobody waits on for a log that closes', async () => {
  const stored = Promise.withResolvers<void>();
  const limits = { ...defaultLimits, auditQueueEventsMax: 6, auditFlushDelayMs: 60_000 };
  const append = (): Promise<void> => stored.promise;
  const log = await openAuditLog({ store: { append, leftOpen: async () => [] }, limits });
  log.append(eventOf('busy', 1));
  const waiting = log.room('busy');
  assert.equal(await isSettled(waiting), false);
  const closed = log.close();
  assert.equal(await isSettled(waiting), true);
  stored.resolve();
  await closed;
});

test('who finds no room in time goes on', async () => {
  const waiters = new RoomWaiters(1);
  await waiters.wait('busy');
  let looked = 0;
  waiters.look(() => {
    looked += 1;
    return true;
  });
  assert.equal(looked, 0);
});
