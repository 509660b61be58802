import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProxyError } from '../../src/protocol/error.ts';
import { openStore } from '../../src/store/open-store.ts';
import { askedStore, StoreOutage } from '../../src/store/store-outage.ts';
import { waitUntil } from '../support/program.ts';

const fault = (): ProxyError => new ProxyError('store_unavailable', 'a statement failed');

interface Scene {
  readonly outage: StoreOutage;
  readonly told: string[];
  isThere: boolean;
  probes: number;
  nowMs: number;
}

test('how long what is known may be acted upon is told less what has gone by, at a start without the store too', async () => {
  for (const [awayMs, left] of [
    [0, 60_000],
    [45_000, 15_000],
    [90_000, 0],
  ] as const) {
    const told: number[] = [];
    await using _ = new StoreOutage({
      probe: () => Promise.reject(fault()),
      outageMs: 60_000,
      ticks: () => 100_000,
      onBegin: (_why, leftMs) => told.push(leftMs),
      begin: { awayMs, why: 'away' },
    });
    assert.deepEqual(told, [left]);
  }
});

function scene(outageMs = 1000): Scene {
  const told: string[] = [];
  const state = { isThere: true, probes: 0, nowMs: 100_000 };
  const outage = new StoreOutage({
    probe: async () => {
      state.probes += 1;
      if (!state.isThere) throw new ProxyError('store_unavailable', 'nothing listens there');
    },
    outageMs,
    clock: () => state.nowMs + 1_000_000,
    ticks: () => state.nowMs,
    onBegin: (why) => told.push(`begin: ${why}`),
    onEnd: (awayMs) => told.push(`end after ${awayMs}`),
    onPast: () => told.push('past'),
  });
  return Object.assign(state, { outage, told });
}

test('a question that fails while the store is there keeps its error, and changes nothing', async () => {
  const all = scene();
  await using outage = all.outage;
  await assert.rejects(
    outage.ask(() => Promise.reject(fault())),
    { message: 'a statement failed' },
  );
  assert.equal(all.probes, 1);
  assert.equal(outage.sinceMs, undefined);
  assert.equal(await outage.ask(async () => 5), 5);
  await assert.rejects(
    outage.ask(() => Promise.reject(new TypeError('x'))),
    TypeError,
  );
  assert.equal(all.probes, 1);
  assert.deepEqual(all.told, []);
});

test('a store that is away is told once, asked by nobody else, and told again when it is back', async () => {
  const all = scene();
  await using outage = all.outage;
  await outage.ask(async () => 1);
  all.isThere = false;
  all.nowMs += 300;
  const failing = [1, 2, 3].map(() => outage.ask(() => Promise.reject(fault())));
  for (const one of failing) await assert.rejects(one, { code: 'store_unavailable', retryAfterSeconds: 5 });
  let asked = 0;
  await assert.rejects(
    outage.ask(async () => (asked += 1)),
    { code: 'store_unavailable', retryAfterSeconds: 5 },
  );
  assert.equal(asked, 0);
  // Since the last response, not since the first failure.
  assert.equal(outage.sinceMs, 1_100_000);
  assert.equal(outage.untilMs, 1_101_000);
  assert.deepEqual(all.told, ['begin: nothing listens there']);
  all.isThere = true;
  await waitUntil('it is back', () => outage.sinceMs === undefined);
  assert.deepEqual(all.told, ['begin: nothing listens there', 'end after 300']);
  assert.equal(await outage.ask(async () => (asked += 1)), 1);
});

test('a store that is away for longer than it may be is past, told once, and every listener hears of it', async () => {
  const all = scene(1000);
  await using outage = all.outage;
  all.isThere = false;
  let heard = 0;
  outage.onStillAway(() => (heard += 1));
  assert.equal(await outage.confirm(), true);
  assert.equal(outage.isPast, false);
  all.nowMs += 1001;
  assert.equal(outage.isPast, true);
  await waitUntil('it was asked twice more', () => all.probes >= 3);
  assert.deepEqual(all.told, ['begin: nothing listens there', 'past']);
  assert.ok(heard >= 3);
  all.isThere = true;
  await waitUntil('it is back', () => !outage.isPast);
});

test('every part of a store is asked by way of it, and gives what it gave', async () => {
  const all = scene();
  await using outage = all.outage;
  await using store = await openStore('sqlite::memory:');
  const asked = askedStore(store, outage);
  assert.deepEqual(await asked.audit.held(), { events: 0, bytes: 0 });
  assert.equal(asked.audit.delivery, undefined);
  assert.equal(await asked.sessions.find('a'), undefined);
  all.isThere = false;
  await outage.confirm();
  for (const question of [
    () => asked.sessions.find('a'),
    () => asked.proofs.prune(0),
    () => asked.budgets.giveBack({ sessionId: 'a', budget: 'b' }, 1),
    () => asked.audit.query({ limit: 1 }),
  ])
    await assert.rejects(question(), { code: 'store_unavailable', retryAfterSeconds: 5 });
});

test('a store that says nothing any more is away after some seconds, and whoever waits for it is told then', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const told: string[] = [];
  await using outage = new StoreOutage({
    probe: () => new Promise(() => undefined),
    outageMs: 60_000,
    onBegin: (why) => told.push(why),
  });
  const question = outage.ask(() => new Promise(() => undefined));
  question.catch(() => undefined);
  context.mock.timers.tick(999);
  assert.deepEqual(told, []);
  context.mock.timers.tick(1);
  await Promise.resolve();
  context.mock.timers.tick(3000);
  await assert.rejects(question, { code: 'store_unavailable', retryAfterSeconds: 5 });
  assert.deepEqual(told, ['It did not respond in time.']);
});

test('a listener that throws keeps nobody else from being told, and the store is asked again all the same', async () => {
  const faults: string[] = [];
  const told: string[] = [];
  const fail = (what: string) => (): never => {
    throw new TypeError(what);
  };
  let isThere = false;
  let nowMs = 0;
  await using outage = new StoreOutage({
    probe: async () => {
      if (!isThere) throw fault();
    },
    outageMs: 1000,
    ticks: () => nowMs,
    onBegin: fail('begin'),
    onPast: fail('past'),
    onEnd: fail('end'),
    onFault: ({ message }) => faults.push(message),
  });
  outage.onStillAway(fail('still'));
  outage.onStillAway(() => told.push('still'));
  assert.equal(await outage.confirm(), true);
  assert.deepEqual([faults, told], [['begin', 'still'], ['still']]);
  nowMs = 1001;
  await waitUntil('it is past', () => faults.includes('past'));
  isThere = true;
  await waitUntil('it is back', () => outage.sinceMs === undefined);
  assert.equal(faults.at(-1), 'end');
});
