import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits, type Limits } from '../../../src/protocol/limits.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { AuditEntry, AuditHeld, AuditStore } from '../../../src/store/store.ts';
import type { OpenExchange } from '../../../src/gateway/audit/open-exchanges.ts';
import { openAuditLog, type AuditLog } from '../../../src/gateway/audit/audit-log.ts';
import { newEventId, newTraceId } from '../../../src/gateway/audit/event-identity.ts';
import { patienceMs } from '../../support/patience.ts';

const eventOf = (id: string, changes: Partial<AuditEvent> = {}): AuditEvent => ({
  v: 1,
  id,
  time: '2026-01-01T00:00:00.000Z',
  kind: 'exchange',
  traceId: 'trace',
  verdict: 'allow',
  ...changes,
});

/** A store that fails while it is told to, and remembers what it got. */
class UncertainStore implements Omit<AuditStore, 'chain'> {
  readonly entries = new Map<string, AuditEntry>();
  readonly open = new Map<string, AuditEntry>();
  readonly batches: number[] = [];
  failure: 'none' | 'before' | 'after' = 'none';

  async append(entries: readonly AuditEntry[], open: readonly AuditEntry[] = []): Promise<void> {
    this.batches.push(entries.length);
    if (this.failure === 'before') throw new ProxyError('store_unavailable', 'the disk is full');
    for (const entry of open) this.open.set(entry.id, entry);
    for (const { id, wasOpen } of entries) if (wasOpen === true) this.open.delete(id);
    for (const entry of entries) if (!this.entries.has(entry.id)) this.entries.set(entry.id, entry);
    if (this.failure === 'after') throw new ProxyError('store_unavailable', 'the connection broke');
  }

  async query(): Promise<readonly AuditEvent[]> {
    return [];
  }

  async search(): Promise<{ events: readonly AuditEvent[] }> {
    return { events: [] };
  }

  async period(): Promise<{ events: readonly AuditEvent[] }> {
    return { events: [] };
  }

  async find(): Promise<AuditEvent | undefined> {
    return undefined;
  }

  async leftOpen(limit: number): Promise<readonly AuditEvent[]> {
    return [...this.open.values()].slice(0, limit).map(({ json }): AuditEvent => JSON.parse(json));
  }

  async stillOpen(): Promise<readonly AuditEvent[]> {
    return [];
  }

  async prune(): Promise<number> {
    return 0;
  }

  async held(): Promise<AuditHeld> {
    return { events: 0, bytes: 0 };
  }

  get ids(): readonly string[] {
    return [...this.entries.keys()];
  }
}

async function openTestLog(
  limits: Partial<Limits> = {},
): Promise<{ log: AuditLog; store: UncertainStore; faults: ProxyError[] }> {
  const store = new UncertainStore();
  const faults: ProxyError[] = [];
  const log = await openAuditLog({
    store,
    limits: { ...defaultLimits, ...limits },
    onFault: (error) => void faults.push(error),
  });
  return { log, store, faults };
}

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'upstreamproxy-audit-'));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('events reach the store by themselves, in order, in one batch', async () => {
  const { log, store } = await openTestLog({ auditFlushDelayMs: 1 });
  const { promise, resolve } = Promise.withResolvers<void>();
  const append = store.append.bind(store);
  store.append = (entries) => append(entries).then(resolve);
  for (const id of ['a', 'b', 'c']) log.append(eventOf(id));
  await promise;
  assert.deepEqual(store.ids, ['a', 'b', 'c']);
  assert.deepEqual(store.batches, [3]);
  await log.close();
});

test('flush resolves when everything so far is stored', async () => {
  const { log, store } = await openTestLog({ auditFlushDelayMs: 1_000_000 });
  await log.flush();
  log.append(eventOf('a'));
  await log.flush();
  assert.deepEqual(store.ids, ['a']);
  log.append(eventOf('b'));
  await Promise.all([log.flush(), log.flush()]);
  assert.deepEqual(store.ids, ['a', 'b']);
  await log.close();
});

test('what comes while a batch is stored waits for company; what was there when a flush is asked for does not', async () => {
  const { log, store } = await openTestLog({ auditFlushDelayMs: 1_000_000 });
  const append = store.append.bind(store);
  let held = Promise.withResolvers<void>();
  store.append = async (...given) => {
    await append(...given);
    await held.promise;
  };
  log.append(eventOf('a'));
  const flushed = log.flush();
  log.append(eventOf('b'));
  held.resolve();
  await flushed;
  for (let turn = 0; turn < 10; turn += 1) await nextTurn();
  assert.deepEqual(store.batches, [1]);
  held = Promise.withResolvers();
  log.append(eventOf('c'));
  const again = log.flush();
  log.append(eventOf('d'));
  const third = log.flush();
  held.resolve();
  await Promise.all([again, third]);
  assert.deepEqual(store.batches, [1, 2, 1]);
  assert.deepEqual(store.ids, ['a', 'b', 'c', 'd']);
  await log.close();
});

test('an event whose time came while a batch was stored is in the next one', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const { log, store } = await openTestLog({ auditFlushDelayMs: 50 });
  const append = store.append.bind(store);
  const held = Promise.withResolvers<void>();
  store.append = async (...given) => {
    await append(...given);
    await held.promise;
  };
  log.append(eventOf('a'));
  const flushed = log.flush();
  log.append(eventOf('b'));
  context.mock.timers.tick(50);
  held.resolve();
  await flushed;
  for (let turn = 0; turn < 10; turn += 1) await nextTurn();
  assert.deepEqual(store.ids, ['a', 'b']);
  context.mock.timers.reset();
  await log.close();
});

test('an event that comes in the very turn in which a batch ends is not left lying', async () => {
  const { log, store } = await openTestLog({ auditFlushDelayMs: 1_000_000 });
  for (let i = 0; i < 50; i += 1) {
    log.append(eventOf(String(i)));
    const flushed = log.flush();
    for (let turn = 0; turn < i; turn += 1) await Promise.resolve();
    log.append(eventOf(`late ${i}`));
    await Promise.all([flushed, log.flush()]);
  }
  assert.equal(store.entries.size, 100);
  await log.close();
});

test('many events become several bounded batches', async () => {
  const { log, store } = await openTestLog();
  for (let i = 0; i < 4000; i += 1) log.append(eventOf(String(i)));
  await log.flush();
  assert.equal(store.entries.size, 4000);
  assert.ok(Math.max(...store.batches) <= 512);
  assert.equal(store.batches.length, 8);
  await log.close();
});

test('what the caller changes after the call is not in the event', async () => {
  const { log, store } = await openTestLog();
  const event = { ...eventOf('a'), host: 'example.com' };
  log.append(event);
  event.host = 'evil.test';
  await log.flush();
  assert.equal(JSON.parse(store.entries.get('a')!.json).host, 'example.com');
  await log.close();
});

test('details that JSON cannot hold do not lose the event', async () => {
  const { log, store } = await openTestLog();
  log.append(eventOf('a', { details: { size: 1n }, host: 'example.com' }));
  await log.flush();
  const stored = JSON.parse(store.entries.get('a')!.json);
  assert.deepEqual([stored.host, stored.details], ['example.com', { unserialisable: true }]);
  await log.close();
});

for (const failure of ['before', 'after'] as const) {
  test(`a store that fails ${failure} its work makes the log unhealthy, and no event is lost or doubled`, async () => {
    const { log, store, faults } = await openTestLog();
    store.failure = failure;
    log.append(eventOf('a'));
    await assert.rejects(log.flush(), { name: 'ProxyError', code: 'audit_unavailable' });
    assert.equal(log.healthy, false);
    await assert.rejects(log.flush(), { code: 'audit_unavailable' });
    log.append(eventOf('b'));
    store.failure = 'none';
    await log.close();
    assert.deepEqual(store.ids, ['a', 'b']);
    assert.deepEqual(
      faults.map(({ code }) => code),
      ['store_unavailable'],
    );
  });
}

test('a log whose store works again becomes healthy by itself', async () => {
  const { log, store } = await openTestLog();
  store.failure = 'before';
  log.append(eventOf('a'));
  await assert.rejects(log.flush());
  store.failure = 'none';
  const deadlineMs = performance.now() + patienceMs;
  while (!log.healthy && performance.now() < deadlineMs) await nextTurn();
  assert.equal(log.healthy, true);
  assert.deepEqual(store.ids, ['a']);
  await log.close();
});

test('a half-full queue is unhealthy, a full one loses events and says how many in their place', async () => {
  const { log, store, faults } = await openTestLog({ auditQueueEventsMax: 4, auditFlushDelayMs: 1_000_000 });
  log.append(eventOf('1'));
  assert.equal(log.healthy, true);
  log.append(eventOf('2'));
  assert.equal(log.healthy, false);
  for (const id of ['3', '4', 'lost 1', 'lost 2']) log.append(eventOf(id));
  await log.flush();
  assert.equal(log.healthy, true);
  await log.close();
  const events = [...store.entries.values()].map(({ json }): AuditEvent => JSON.parse(json));
  assert.deepEqual(
    events.slice(0, 4).map(({ id }) => id),
    ['1', '2', '3', '4'],
  );
  assert.equal(events.length, 5);
  assert.deepEqual(
    [events[4]?.kind, events[4]?.action, events[4]?.details],
    ['alarm', 'audit_events_lost', { count: 2 }],
  );
  assert.equal(faults.length, 1);
});

test('who is told of events is told of each that is taken, as it is stored, and of those that were lost', async () => {
  const told: (readonly [string, string])[] = [];
  const store = new UncertainStore();
  const log = await openAuditLog({
    store,
    limits: { ...defaultLimits, auditQueueEventsMax: 2, auditFlushDelayMs: 1_000_000 },
    onTaken: ({ id }, json) => told.push([id, json]),
  });
  for (const id of ['1', '2', 'lost']) log.append(eventOf(id));
  await log.close();
  assert.deepEqual(
    told,
    [...store.entries.values()].map(({ id, json }) => [id, json]),
  );
  assert.equal(told.length, 3);
  assert.match(told[2]?.[1] ?? '', /audit_events_lost/);
});

test('the bytes of the queue are bounded too', async () => {
  const { log } = await openTestLog({ auditQueueBytesMax: 2000, auditFlushDelayMs: 1_000_000 });
  log.append(eventOf('a', { path: `/${'x'.repeat(1000)}` }));
  assert.equal(log.healthy, false);
  await log.close();
});

test('closing writes what waits; afterwards nothing is taken and nothing throws', async () => {
  const { log, store, faults } = await openTestLog({ auditFlushDelayMs: 1_000_000 });
  log.append(eventOf('a'));
  await Promise.all([log.close(), log.close()]);
  assert.deepEqual(store.ids, ['a']);
  assert.equal(log.healthy, false);
  log.append(eventOf('b'));
  assert.deepEqual(store.ids, ['a']);
  assert.match(faults[0]?.message ?? '', /it is closed/);
});

test('closing says how many events could not be written', async () => {
  const { log, store } = await openTestLog();
  store.failure = 'before';
  log.append(eventOf('a'));
  log.append(eventOf('b'));
  await assert.rejects(log.close(), { code: 'audit_unavailable', message: /2 events are lost/ });
});

const openOne = (id: string, changes: { message?: string } = {}): OpenExchange => ({
  sessionId: 'session',
  unfinished: () => eventOf(id, { verdict: 'unknown', ...changes }),
});

async function turnsUntil(holds: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + patienceMs;
  while (!holds() && performance.now() < deadlineMs) await nextTurn();
  assert.ok(holds());
}

test('what is open for longer than the delay gets a marker by itself, and its event takes that away', async () => {
  const { log, store } = await openTestLog({ auditFlushDelayMs: 1 });
  const long = openOne('long');
  log.keep(long);
  assert.equal(log.openOf('session'), 1);
  await turnsUntil(() => store.open.has('long'));
  assert.deepEqual(store.ids, []);
  log.append(eventOf('long'), long);
  assert.equal(log.openOf('session'), 0);
  await log.flush();
  assert.deepEqual([store.ids, store.open.size], [['long'], 0]);
  await log.close();
});

test('what ends within the delay never gets a marker', async () => {
  const { log, store } = await openTestLog({ auditFlushDelayMs: 1_000_000 });
  for (let i = 0; i < 300; i += 1) {
    const one = openOne(String(i));
    log.keep(one);
    log.keep(one);
    log.append(eventOf(String(i)), one);
    log.keep(openOne(`open ${i}`));
    await log.flush();
  }
  assert.equal(store.entries.size, 300);
  assert.equal(store.open.size, 0);
  assert.ok([...store.entries.values()].every(({ wasOpen }) => wasOpen === undefined));
  assert.equal(log.openOf('session'), 300);
  await log.close();
});

test('what becomes known after the marker renews it', async () => {
  const { log, store } = await openTestLog({ auditFlushDelayMs: 1 });
  const facts: { message?: string } = {};
  const one = openOne('one', facts);
  log.keep({ ...one, unfinished: () => eventOf('other', { verdict: 'unknown' }) });
  const renewed: OpenExchange = { ...one, unfinished: () => eventOf('one', { ...facts }) };
  log.keep(renewed);
  await turnsUntil(() => store.open.size === 2);
  facts.message = 'decided';
  log.keep(renewed);
  await turnsUntil(() => JSON.parse(store.open.get('one')!.json).message === 'decided');
  assert.equal(log.openOf('session'), 2);
  await log.close();
});

for (const failure of ['before', 'after'] as const) {
  test(`a store that fails ${failure} its work keeps no marker of what ended meanwhile`, async () => {
    const { log, store } = await openTestLog({ auditFlushDelayMs: 1 });
    store.failure = failure;
    const one = openOne('one');
    log.keep(one);
    await turnsUntil(() => !log.healthy);
    log.append(eventOf('one'), one);
    store.failure = 'none';
    await log.close();
    assert.deepEqual([store.ids, store.open.size], [['one'], 0]);
  });
}

test('thousands that are open get their markers in bounded batches, beside the events of others', async () => {
  const { log, store } = await openTestLog({ auditFlushDelayMs: 1 });
  const append = store.append.bind(store);
  const sizes: number[] = [];
  store.append = (entries, open = []) => {
    sizes.push(open.length);
    return append(entries, open);
  };
  for (let i = 0; i < 4000; i += 1) log.keep(openOne(`open ${i}`));
  await turnsUntil(() => store.open.size > 0);
  for (let i = 0; i < 4000; i += 1) log.append(eventOf(String(i)));
  await turnsUntil(() => store.open.size === 4000);
  await log.flush();
  assert.ok(Math.max(...sizes) <= 512);
  assert.equal(store.entries.size, 4000);
  await log.close();
});

test('a sum of refusals is in the store before it is whole: after a kill the next process has it, with at least half its count', async () => {
  const { log, store } = await openTestLog({ auditFlushDelayMs: 1 });
  const refusal = eventOf('sum', { sessionId: 's', verdict: 'deny', count: 1 });
  for (let i = 1; i <= 700; i += 1) log.sum({ ...refusal, traceId: `trace ${i}` });
  await turnsUntil(() => store.open.size > 0);
  assert.equal(log.openOf('s'), 0);
  const killed = new UncertainStore();
  for (const [id, entry] of store.open) killed.open.set(id, entry);
  {
    await using next = await openAuditLog({ store: killed });
    await next.recover(() => undefined);
  }
  const recovered: AuditEvent = JSON.parse(killed.entries.get('sum')?.json ?? '{}');
  assert.equal(recovered.verdict, 'deny');
  assert.ok((recovered.count ?? 0) >= 350, String(recovered.count));
  await log.close();
  assert.equal(JSON.parse(store.entries.get('sum')?.json ?? '{}').count, 700);
  assert.equal(store.open.size, 0);
});

test('what an earlier process left open becomes one event each, in the file too', () =>
  inFolder(async (folder) => {
    const file = join(folder, 'audit.jsonl');
    const store = new UncertainStore();
    for (let i = 0; i < 2500; i += 1) {
      const event = eventOf(String(i), { verdict: 'unknown' });
      store.open.set(event.id, {
        id: event.id,
        verdict: 'unknown',
        kind: 'exchange',
        timeMs: 0,
        json: JSON.stringify(event),
      });
    }
    const seen: string[] = [];
    {
      await using log = await openAuditLog({ store, file });
      await log.recover((event) => void seen.push(event.id));
      await log.recover(() => assert.fail('there is nothing left'));
    }
    assert.equal(store.open.size, 0);
    assert.deepEqual(store.ids, seen);
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    assert.equal(lines.length, 2500);
    assert.equal(JSON.parse(lines[0]!).verdict, 'unknown');
  }));

test('the file has one line for each event of the store', () =>
  inFolder(async (folder) => {
    const file = join(folder, 'audit.jsonl');
    await using store = await openStore('sqlite::memory:');
    {
      await using log = await openAuditLog({ store: store.audit, file });
      for (let i = 0; i < 300; i += 1) log.append(eventOf(String(i).padStart(3, '0')));
    }
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    const stored = await store.audit.query({ limit: 1000 });
    assert.deepEqual(
      lines.map((line): AuditEvent => JSON.parse(line)),
      stored,
    );
    assert.equal(stored.length, 300);
  }));

test('when the store fails after it stored, the file still gets each line once', () =>
  inFolder(async (folder) => {
    const file = join(folder, 'audit.jsonl');
    const store = new UncertainStore();
    const log = await openAuditLog({ store, file });
    store.failure = 'after';
    log.append(eventOf('a'));
    await assert.rejects(log.flush());
    store.failure = 'none';
    await log.close();
    assert.equal((await readFile(file, 'utf8')).split('\n').length, 2);
  }));

test('event ids sort by time and trace ids do not repeat', async () => {
  const first = newEventId();
  const madeMs = Date.now();
  while (Date.now() === madeMs) await nextTurn();
  const second = newEventId();
  assert.ok(first < second);
  // Behind all random octets that are drawn at once, too.
  const ids = Array.from({ length: 600 }, newEventId);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) {
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const age = Date.now() - Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
    assert.ok(age >= 0 && age < 60_000);
  }
  // Each random digit is one.
  for (const at of [15, 16, 17, 20, 21, 22, 24, 30, 35]) assert.ok(new Set(ids.map((id) => id[at])).size > 8);
  assert.match(newTraceId(), /^[0-9a-f]{32}$/);
  assert.notEqual(newTraceId(), newTraceId());
  // It begins with the second in which it was made, also behind all ids that are drawn at once.
  for (let at = 0; at < 600; at += 1) {
    const age = Math.floor(Date.now() / 1000) - Number.parseInt(newTraceId().slice(0, 8), 16);
    assert.ok(age === 0 || age === 1);
  }
});
