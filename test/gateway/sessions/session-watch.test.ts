import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ProxyError } from '../../../src/protocol/error.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { SessionRecord } from '../../../src/store/store.ts';
import { EndedSessions } from '../../../src/gateway/sessions/ended-sessions.ts';
import { SessionWatch, watchIntervalMs } from '../../../src/gateway/sessions/session-watch.ts';
import { newSession } from '../../conformance/new-session.ts';
import { patienceMs } from '../../support/patience.ts';

const bounds = { enrolmentsPerTokenMax: 10 };
const revoked = { state: 'revoked', reason: 'operator' } as const;

test('there are four looks in the two seconds in which streams end', () => {
  assert.ok(4 * watchIntervalMs <= 2000);
});

test('a revocation through another connection to the same file is told by the next look, which comes by itself', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'upstreamproxy-watch-'));
  try {
    await using ours = await openStore(`sqlite:${join(folder, 'state.db')}`);
    await using theirs = await openStore(`sqlite:${join(folder, 'state.db')}`);
    await ours.sessions.enrol(newSession('a'), bounds);
    await using watch = await open(ours);
    const { promise: told, resolve } = Promise.withResolvers<string>();
    watch.onEnded((sessionId, reason) => resolve(`${sessionId} ${reason}`));
    await theirs.sessions.end('a', revoked, 2000);
    // Each look has this behind the endings.
    let looks = 0;
    const { expire } = ours.sessions;
    ours.sessions.expire = (nowMs) => {
      looks += 1;
      return expire.call(ours.sessions, nowMs);
    };
    // The watch alone keeps no process alive, so the test does.
    const alive = setTimeout(() => resolve('nothing'), patienceMs);
    assert.equal(await told, 'a operator');
    clearTimeout(alive);
    assert.ok(looks <= 1, `${looks} looks`);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('what is over is forgotten as fast as it ends, however much that is', async () => {
  await using store = await openStore('sqlite::memory:');
  const ended = 2_500;
  for (let i = 0; i < ended; i += 1) {
    await store.sessions.enrol(newSession(`s${i}`, { tokenKey: `t${i}` }), bounds);
    await store.sessions.end(`s${i}`, revoked, 2000);
  }
  const left = async (): Promise<number> => (await store.sessions.list({ limit: 10_000 })).length;
  let nowMs = 2000;
  await using watch = await SessionWatch.open({
    store,
    ended: new EndedSessions(60_000),
    endedKeptMs: 60_000,
    clock: () => nowMs,
    onExpired: () => Promise.resolve(),
    onFault: (error) => assert.fail(error),
  });
  await watch.look();
  assert.equal(await left(), ended);
  // A month later: one look after the other takes a batch, without another hour between them.
  nowMs += 40 * 24 * 3_600_000;
  const seen: number[] = [];
  while ((await left()) > 0 && seen.length < 10) {
    await watch.look();
    seen.push(await left());
  }
  assert.equal(seen.at(-1), 0, seen.join(' '));
});

test('endings from before the watch are not told, later ones once', async () => {
  await using store = await openStore('sqlite::memory:');
  await store.sessions.enrol(newSession('a', { tokenKey: 'a' }), bounds);
  await store.sessions.enrol(newSession('b', { tokenKey: 'b' }), bounds);
  await store.sessions.end('a', revoked, 2000);
  await using watch = await open(store);
  const told: string[] = [];
  watch.onEnded((sessionId) => told.push(sessionId));
  const stop = watch.onEnded((sessionId) => told.push(`also ${sessionId}`));
  await store.sessions.end('b', revoked, 2000);
  await Promise.all([watch.look(), watch.look()]);
  assert.deepEqual(told, ['b', 'also b']);
  stop();
  await store.sessions.enrol(newSession('c', { tokenKey: 'c' }), bounds);
  await store.sessions.end('c', revoked, 2000);
  await watch.look();
  assert.deepEqual(told, ['b', 'also b', 'c']);
});

test('a session past its time is told and reported as expired', async () => {
  await using store = await openStore('sqlite::memory:');
  await store.sessions.enrol(newSession('a', { commitByMs: 5000 }), bounds);
  const expired: SessionRecord[] = [];
  let nowMs = 4999;
  await using watch = await SessionWatch.open({
    store,
    ended: new EndedSessions(60_000),
    endedKeptMs: 60_000,
    clock: () => nowMs,
    onFault: (error) => assert.fail(error),
    onExpired: async (session) => void expired.push(session),
  });
  const told: string[] = [];
  watch.onEnded((_, reason) => told.push(reason));
  await watch.look();
  assert.deepEqual(told, []);
  nowMs = 5000;
  await watch.look();
  await watch.look();
  assert.deepEqual(told, ['it was not committed in time']);
  assert.deepEqual(
    expired.map(({ id }) => id),
    ['a'],
  );
});

test('a listener that throws keeps no other from being told', async () => {
  await using store = await openStore('sqlite::memory:');
  await store.sessions.enrol(newSession('a'), bounds);
  const faults: ProxyError[] = [];
  await using watch = await open(store, faults);
  const told: string[] = [];
  watch.onEnded(() => {
    throw new Error('broken listener');
  });
  watch.onEnded((sessionId) => told.push(sessionId));
  await store.sessions.end('a', revoked, 2000);
  await watch.look();
  assert.deepEqual(told, ['a']);
  assert.match(faults[0]!.message, /broken listener/);
});

test('a store that fails is reported, and the next look goes on where the last good one was', async () => {
  await using store = await openStore('sqlite::memory:');
  await store.sessions.enrol(newSession('a'), bounds);
  const faults: ProxyError[] = [];
  await using watch = await open(store, faults);
  const told: string[] = [];
  watch.onEnded((sessionId) => told.push(sessionId));
  const { endingsSince } = store.sessions;
  store.sessions.endingsSince = () => Promise.reject(new ProxyError('store_unavailable', 'gone for now'));
  await store.sessions.end('a', revoked, 2000);
  await watch.look();
  assert.deepEqual([told, faults.map(({ code }) => code)], [[], ['store_unavailable']]);
  store.sessions.endingsSince = endingsSince;
  await watch.look();
  assert.deepEqual(told, ['a']);
});

test('a revocation is told also where ending what reached its time fails', async () => {
  await using store = await openStore('sqlite::memory:');
  await store.sessions.enrol(newSession('a'), bounds);
  const faults: ProxyError[] = [];
  await using watch = await open(store, faults);
  const told: string[] = [];
  watch.onEnded((sessionId) => told.push(sessionId));
  store.sessions.expire = () => Promise.reject(new ProxyError('store_unavailable', 'a row is locked'));
  await store.sessions.end('a', revoked, 2000);
  await watch.look();
  assert.deepEqual([told, faults.map(({ message }) => message)], [['a'], ['a row is locked']]);
});

test('behind more endings than are kept, a gateway that starts takes nobody for alive without asking', async () => {
  await using store = await openStore('sqlite::memory:');
  for (const id of ['a', 'b', 'c']) {
    await store.sessions.enrol(newSession(id, { tokenKey: id }), bounds);
    await store.sessions.end(id, revoked, 1000);
  }
  for (const [max, code] of [
    [2, 'store_unavailable'],
    [3, 'none'],
  ] as const) {
    const ended = new EndedSessions(60_000, max);
    await using _watch = await SessionWatch.open({
      store,
      ended,
      endedKeptMs: 60_000,
      clock: () => 1000,
      onExpired: () => Promise.resolve(),
      onFault: (error) => assert.fail(error),
    });
    if (code === 'none') ended.assertKnownAlive('x', 1000);
    else assert.throws(() => ended.assertKnownAlive('x', 1000), { code });
  }
});

test('what was handed over is over here, also where the store is back and does not have it', async () => {
  await using store = await openStore('sqlite::memory:');
  await store.sessions.enrol(newSession('a'), bounds);
  await store.sessions.end('a', revoked, 1000);
  const ended = new EndedSessions(60_000);
  const handed = [
    { ...revoked, sessionId: 'a', sequence: 91 },
    { ...revoked, sessionId: 'lost', sequence: 91 },
  ];
  await using watch = await SessionWatch.open({
    store,
    ended,
    endedKeptMs: 60_000,
    handed: () => handed,
    clock: () => 1000,
    ticks: () => 0,
    onExpired: () => Promise.resolve(),
    onFault: (error) => assert.fail(error),
  });
  // The store's own number where it has one, and what it lacks comes last.
  assert.deepEqual(
    ended.latest(9).map(({ sessionId, sequence }) => [sessionId, sequence]),
    [
      ['a', 1],
      ['lost', 91],
    ],
  );
  // Until it was read from the store.
  assert.equal(watch.isCurrent, false);
  await watch.look();
  assert.equal(watch.isCurrent, true);
});

test('what ended by this process is over here also where the store lost it before it was read', async () => {
  await using store = await openStore('sqlite::memory:');
  await using watch = await open(store);
  const told: string[] = [];
  watch.onEnded((sessionId, reason) => told.push(`${sessionId} ${reason}`));
  await watch.endedHere('lost', revoked);
  assert.deepEqual(told, ['lost operator']);
  assert.throws(() => watch.ended.assertNotEnded('lost'), { code: 'session_revoked' });
  // Whoever begins to follow hears it, whatever number it asks from.
  assert.deepEqual(
    [...watch.ended.pagesAbove(99)].flat().map(({ sessionId }) => sessionId),
    ['lost'],
  );
  // With its number it is told once more, so that others may count it as taken.
  for (let i = 0; i < 2; i += 1) watch.hear([{ ...revoked, sessionId: 'lost', sequence: 7 }]);
  assert.deepEqual([told.length, watch.ended.find('lost')?.sequence], [2, 7]);
});

test('behind a way back an ending has the number that the store gives it now, or none', async () => {
  await using store = await openStore('sqlite::memory:');
  await store.sessions.enrol(newSession('a'), bounds);
  await using watch = await open(store);
  await store.sessions.end('a', revoked, 2000);
  await watch.look();
  watch.hear([{ ...revoked, sessionId: 'gone', sequence: 91 }]);
  watch.ended.forgetNumbers();
  const numbers = () => ['a', 'gone'].map((id) => watch.ended.find(id)?.sequence);
  assert.deepEqual(numbers(), [0, 0]);
  assert.deepEqual(new Set(watch.ended.heardBehind(0)?.map(({ sequence }) => sequence)), new Set([0]));
  await watch.again();
  assert.deepEqual(numbers(), [1, 0]);
});

for (const [name, startedMs, lateMs] of [
  ['what is kept', 990_000, 995_000],
  ['the last reading of a process that stood still', 420_000, 430_000],
] as const)
  test(`a store that may have gone back is read by time, as far back as ${name}`, async () => {
    await using store = await openStore('sqlite::memory:');
    for (const id of ['old', 'late']) await store.sessions.enrol(newSession(id, { tokenKey: id }), bounds);
    await store.sessions.end('old', revoked, 1000);
    let nowMs: number = startedMs;
    const faults: string[] = [];
    await using watch = await SessionWatch.open({
      store,
      ended: new EndedSessions(60_000),
      endedKeptMs: 60_000,
      clock: () => nowMs,
      onExpired: () => Promise.resolve(),
      onFault: ({ message }) => faults.push(message),
    });
    const told: string[] = [];
    watch.onEnded((sessionId) => told.push(sessionId));
    const [behind, { sessions }]: [(number | undefined)[], typeof store] = [[], store];
    const { endingsSince, endedBehind } = sessions;
    sessions.endingsSince = (sequence) => {
      behind.push(sequence);
      return endingsSince.call(sessions, sequence);
    };
    await sessions.end('late', revoked, lateMs);
    nowMs = 1_000_000;
    sessions.endedBehind = () => Promise.reject(new ProxyError('store_unavailable', 'gone for now'));
    await watch.again();
    assert.deepEqual([told, faults], [[], ['gone for now']]);
    sessions.endedBehind = endedBehind;
    await watch.look();
    assert.deepEqual([told, behind], [['late'], [undefined, undefined, 1, 2]]);
    assert.equal(watch.sequence, 2);
    // What is known by the same number is not told again.
    await watch.again();
    assert.deepEqual(told, ['late']);
  });

test('behind a reading by time a revocation by a gateway whose clock is a day behind is told too, once', async () => {
  await using store = await openStore('sqlite::memory:');
  for (const id of ['before', 'skewed', 'late'])
    await store.sessions.enrol(newSession(id, { tokenKey: id }), bounds);
  const nowMs = 100 * 86_400_000;
  await store.sessions.end('before', revoked, nowMs);
  const faults: string[] = [];
  await using watch = await SessionWatch.open({
    store,
    ended: new EndedSessions(60_000),
    endedKeptMs: 60_000,
    clock: () => nowMs,
    onExpired: () => Promise.resolve(),
    onFault: ({ message }) => faults.push(message),
  });
  const told: string[] = [];
  watch.onEnded((sessionId) => told.push(sessionId));
  await store.sessions.end('skewed', revoked, nowMs - 86_400_000);
  await store.sessions.end('late', revoked, nowMs);
  const { sessions } = store;
  const { endedBehind } = sessions;
  // Also where reading by time fails first: until it has come through others are asked for all that they have.
  sessions.endedBehind = () => Promise.reject(new ProxyError('store_unavailable', 'gone for now'));
  await watch.again();
  assert.deepEqual([told, faults, watch.sequence], [[], ['gone for now'], 0]);
  sessions.endedBehind = endedBehind;
  await watch.look();
  assert.deepEqual([told, watch.sequence], [['late', 'skewed'], 3]);
  await watch.again();
  assert.deepEqual(told, ['late', 'skewed']);
});

test('after closing nothing is told any more and no timer is left', async () => {
  await using store = await openStore('sqlite::memory:');
  await store.sessions.enrol(newSession('a'), bounds);
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  const watch = await open(store);
  const told: string[] = [];
  watch.onEnded((sessionId) => told.push(sessionId));
  await watch.close();
  await watch.close();
  await store.sessions.end('a', revoked, 2000);
  await watch.look();
  assert.deepEqual(told, []);
  assert.equal(timers(), before);
});

function open(store: Awaited<ReturnType<typeof openStore>>, faults?: ProxyError[]): Promise<SessionWatch> {
  return SessionWatch.open({
    store,
    ended: new EndedSessions(60_000),
    endedKeptMs: 60_000,
    clock: () => 1000,
    onExpired: () => Promise.resolve(),
    onFault: (error) => {
      if (faults === undefined) assert.fail(error);
      faults.push(error);
    },
  });
}
