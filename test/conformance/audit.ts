// What every engine of the store must do with the audit.

import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { test } from 'node:test';
import type { AuditEntry, Store } from '../../src/store/store.ts';

export function auditEntry(id: string, changes: Partial<AuditEntry> = {}): AuditEntry {
  const { sessionId, verdict = 'allow', kind = 'exchange' } = changes;
  const event = {
    v: 1,
    id,
    time: new Date(1000).toISOString(),
    kind,
    traceId: 't',
    verdict,
    sessionId,
    host: 'example.com',
  };
  return { id, verdict, kind, timeMs: 1000, json: JSON.stringify(event), ...changes };
}

export function auditConformance(open: () => Promise<Store>): void {
  const ids = async (
    store: Store,
    query: Parameters<Store['audit']['query']>[0],
  ): Promise<readonly string[]> => (await store.audit.query(query)).map(({ id }) => id);

  test('events come back as they were stored, in order, newest or oldest first', async () => {
    await using store = await open();
    const entries = ['3', '1', '2'].map((id) => auditEntry(id));
    await store.audit.append(entries);
    await store.audit.append([]);
    assert.deepEqual(await ids(store, { limit: 10 }), ['3', '1', '2']);
    assert.deepEqual(await ids(store, { limit: 2, order: 'newest' }), ['2', '1']);
    const [first] = await store.audit.query({ limit: 1 });
    assert.deepEqual(first, JSON.parse(entries[0]!.json));
  });

  test('an id is stored once, whatever is appended again', async () => {
    await using store = await open();
    await store.audit.append([auditEntry('a')]);
    await store.audit.append([auditEntry('a', { verdict: 'deny' }), auditEntry('b')]);
    assert.deepEqual(await ids(store, { limit: 10 }), ['a', 'b']);
    assert.deepEqual(await ids(store, { limit: 10, verdict: 'deny' }), []);
  });

  test('a follower gets what was stored after its last event, whatever the ids sort like', async () => {
    await using store = await open();
    await store.audit.append(['b', 'c', 'a'].map((id) => auditEntry(id)));
    assert.deepEqual(await ids(store, { sinceId: 'c', limit: 10 }), ['a']);
    assert.deepEqual(await ids(store, { sinceId: 'a', limit: 10 }), []);
    assert.deepEqual(await ids(store, { sinceId: 'aa', limit: 10 }), ['b', 'c']);
  });

  test('a page goes on before the last event of the one before it, and one event is found by its id', async () => {
    await using store = await open();
    const entries = ['b', 'c', 'a', 'd'].map((id) => auditEntry(id));
    await store.audit.append(entries);
    assert.deepEqual(await ids(store, { beforeId: 'a', limit: 10, order: 'newest' }), ['c', 'b']);
    assert.deepEqual(await ids(store, { beforeId: 'b', limit: 10, order: 'newest' }), []);
    assert.deepEqual(await ids(store, { beforeId: 'd', sinceId: 'b', limit: 10 }), ['c', 'a']);
    // One that was pruned: ids sort by time.
    assert.deepEqual(await ids(store, { beforeId: 'bb', limit: 10, order: 'newest' }), ['a', 'b']);
    assert.deepEqual(await store.audit.find('c'), JSON.parse(entries[1]!.json));
    assert.equal(await store.audit.find('x'), undefined);
  });

  test('events are filtered by session, verdict and kind', async () => {
    await using store = await open();
    await store.audit.append([
      auditEntry('1', { sessionId: 's' }),
      auditEntry('2', { sessionId: 's', verdict: 'deny' }),
      auditEntry('3', { verdict: 'deny' }),
      auditEntry('4', { kind: 'alarm', verdict: 'deny' }),
    ]);
    assert.deepEqual(await ids(store, { limit: 10, sessionId: 's' }), ['1', '2']);
    assert.deepEqual(await ids(store, { limit: 10, verdict: 'deny' }), ['2', '3', '4']);
    assert.deepEqual(await ids(store, { limit: 10, sessionId: 's', verdict: 'deny' }), ['2']);
    assert.deepEqual(await ids(store, { limit: 10, kind: 'alarm' }), ['4']);
    assert.deepEqual(await ids(store, { limit: 10, verdict: 'deny', sinceId: '2', order: 'newest' }), [
      '4',
      '3',
    ]);
  });

  test('a marker is no event, and goes when its event comes', async () => {
    await using store = await open();
    const open1 = auditEntry('1', { verdict: 'unknown' });
    await store.audit.append([], [open1, auditEntry('2', { verdict: 'unknown' })]);
    await store.audit.append([], [open1]);
    assert.deepEqual(await ids(store, { limit: 10 }), []);
    await store.audit.append([auditEntry('1', { wasOpen: true }), auditEntry('3')]);
    assert.deepEqual(await ids(store, { limit: 10 }), ['1', '3']);
    assert.deepEqual(await ids(store, { limit: 10, verdict: 'allow' }), ['1', '3']);
    // The process that left the other one still runs.
    assert.deepEqual(await store.audit.leftOpen(10), []);
  });

  test('what is open is told in the order of its ids, a page at a time, until its event comes', async () => {
    await using store = await open();
    const openIds = async (behind: string, limit: number) =>
      (await store.audit.stillOpen(behind, limit)).map(({ id }) => id);
    assert.deepEqual(await openIds('', 10), []);
    const markers = ['3', '1', '2'].map((id) => auditEntry(id, { verdict: 'unknown' }));
    await store.audit.append([auditEntry('0')], markers);
    assert.deepEqual(await openIds('', 2), ['1', '2']);
    assert.deepEqual(await openIds('2', 2), ['3']);
    await store.audit.append([auditEntry('2', { wasOpen: true })]);
    assert.deepEqual(await openIds('', 10), ['1', '3']);
  });

  test('pruning forgets events from before a time', async () => {
    await using store = await open();
    await store.audit.append([auditEntry('old', { timeMs: 1 }), auditEntry('new', { timeMs: 2 })]);
    assert.equal(await store.audit.prune({ beforeMs: 2, batch: 10 }), 1);
    assert.deepEqual(await ids(store, { limit: 10 }), ['new']);
  });

  test('pruning keeps the newest events, and one call removes no more than its batch', async () => {
    await using store = await open();
    await store.audit.append(['1', '2', '3', '4', '5'].map((id) => auditEntry(id)));
    assert.equal(await store.audit.prune({ keepEvents: 2, batch: 2 }), 2);
    assert.deepEqual(await ids(store, { limit: 10 }), ['3', '4', '5']);
    assert.equal(await store.audit.prune({ keepEvents: 2, batch: 2 }), 1);
    assert.equal(await store.audit.prune({ keepEvents: 2, batch: 2 }), 0);
    assert.deepEqual(await ids(store, { limit: 10 }), ['4', '5']);
    assert.equal(await store.audit.prune({ batch: 2 }), 0);
  });

  const many = (name: string, count: number, changes: Partial<AuditEntry> = {}): AuditEntry[] =>
    Array.from({ length: count }, (_, i) => auditEntry(`${name}-${i}`, changes));
  const eventBytes = async (store: Store): Promise<number> => (await store.audit.held()).bytes;
  /** Prunes until nothing is out of bounds. */
  const pruneAll = async (store: Store, keep: { keepBytes?: number; keepEvents?: number }): Promise<void> => {
    while ((await store.audit.prune({ ...keep, batch: 100 })) > 0);
  };

  test('what is held is counted in events and octets, with what is pruned and what is stored twice', async () => {
    await using store = await open();
    assert.deepEqual(await store.audit.held(), { events: 0, bytes: 0 });
    const entries = [auditEntry('ä', { sessionId: 's' }), auditEntry('2'), auditEntry('3', { timeMs: 1 })];
    await store.audit.append(entries);
    await store.audit.append(entries);
    const bytes = (list: readonly AuditEntry[]): number =>
      list.reduce((sum, { json }) => sum + Buffer.byteLength(json), 0);
    assert.deepEqual(await store.audit.held(), { events: 3, bytes: bytes(entries) });
    await store.audit.prune({ beforeMs: 2, batch: 10 });
    assert.deepEqual(await store.audit.held(), { events: 2, bytes: bytes(entries.slice(0, 2)) });
    await store.audit.prune({ keepBytes: 0, batch: 10 });
    assert.deepEqual(await store.audit.held(), { events: 0, bytes: 0 });
  });

  for (const bound of ['keepBytes', 'keepEvents'] as const) {
    test(`a flood loses its own later events to ${bound}, the oldest first: not its first thousand, and nothing of others`, async () => {
      await using store = await open();
      await store.audit.append(many('before', 1100, { sessionId: 'quiet' }));
      await store.audit.append(many('operator', 1100, { verdict: 'info', kind: 'session' }));
      await store.audit.append(many('strangers', 1100, { verdict: 'deny', kind: 'session' }));
      const held = await store.audit.held();
      const flood = many('flood', 3000, { sessionId: 'flooder', verdict: 'deny' });
      await store.audit.append(flood.slice(0, 2000));
      await store.audit.append(many('during', 50, { sessionId: 'quiet' }));
      await store.audit.append(flood.slice(2000));
      const one = (await eventBytes(store)) / (await store.audit.held()).events;
      const keepEvents = held.events + 50 + 1500;
      await pruneAll(
        store,
        bound === 'keepEvents' ? { keepEvents } : { keepBytes: Math.ceil(keepEvents * one) },
      );
      const left = await ids(store, { limit: 10_000 });
      const own = left.filter((id) => id.startsWith('flood-'));
      assert.ok(Math.abs(own.length - 1500) < 100, `${own.length}`);
      assert.deepEqual(
        own.slice(0, 1000),
        flood.slice(0, 1000).map(({ id }) => id),
      );
      assert.deepEqual(
        own.slice(1000),
        flood.slice(3000 - own.length + 1000).map(({ id }) => id),
      );
      assert.equal(left.length - own.length, held.events + 50);
    });
  }

  test('of events without a session, those of one verdict are as those of one', async () => {
    await using store = await open();
    await store.audit.append(many('operator', 1001, { verdict: 'info', kind: 'session' }));
    await store.audit.append(many('strangers', 1500, { verdict: 'deny', kind: 'session' }));
    await pruneAll(store, { keepEvents: 2002 });
    const left = await ids(store, { limit: 10_000 });
    assert.equal(left.filter((id) => id.startsWith('operator')).length, 1001);
    assert.deepEqual(left.slice(-2), ['strangers-999', 'strangers-1499']);
  });

  test('where all are first ones, the oldest of the store go, and age spares nobody', async () => {
    await using store = await open();
    for (const sessionId of ['a', 'b', 'c']) await store.audit.append(many(sessionId, 100, { sessionId }));
    await pruneAll(store, { keepEvents: 150 });
    const left = await ids(store, { limit: 1000 });
    assert.deepEqual([left.length, left[0]], [150, 'b-50']);
    while ((await store.audit.prune({ beforeMs: 2000, batch: 100 })) > 0);
    assert.deepEqual(await store.audit.held(), { events: 0, bytes: 0 });
  });

  test('those who hold much come down to the same, whoever came first', async () => {
    await using store = await open();
    for (const [sessionId, count] of [
      ['a', 3000],
      ['b', 1800],
      ['c', 1100],
    ] as const)
      await store.audit.append(many(sessionId, count, { sessionId }));
    // In small steps, for a batch may take as much from one as it is large.
    const keepEvents = 4100;
    while (
      (await store.audit.prune({
        keepEvents: Math.max(keepEvents, (await store.audit.held()).events - 10),
        batch: 10,
      })) > 0
    );
    const left = await ids(store, { limit: 10_000 });
    const of = (name: string): number => left.filter((id) => id.startsWith(`${name}-`)).length;
    assert.deepEqual([of('a') + of('b'), of('c')], [3000, 1100]);
    assert.ok(Math.abs(of('a') - of('b')) <= 20, `${of('a')} and ${of('b')}`);
  });
}
