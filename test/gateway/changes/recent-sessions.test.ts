import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertAgain } from '../../../src/gateway/changes/assert-again.ts';
import { RecentSessions, rememberedSessions } from '../../../src/gateway/changes/recent-sessions.ts';
import { StoreHistory } from '../../../src/gateway/changes/store-history.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { supersededReason, uncommittedInTime } from '../../../src/store/session-row.ts';
import type { NumberedEnding } from '../../../src/store/store.ts';
import { newSession } from '../../conformance/new-session.ts';

const bounds = { enrolmentsPerTokenMax: 10 };

/** A gateway whose store can be replaced by one that knows nothing of what came last. */
async function scene() {
  const stack = new AsyncDisposableStack();
  let store = stack.use(await openStore('sqlite::memory:'));
  let number = 10;
  const endings: NumberedEnding[] = [];
  const recent = new RecentSessions();
  const history = new StoreHistory({
    changes: { newest: async () => number, place: async () => ({ history: '', number }) },
  });
  const current = () => store;
  const sessions = rememberedSessions(
    {
      get sessions() {
        return current().sessions;
      },
      get tokens() {
        return current().tokens;
      },
    },
    recent,
    history,
  );
  history.onWayBack(async () => void (await assertAgain(current().sessions, { recent, endings }, 5000)));
  await history.look();
  return {
    stack,
    sessions,
    endings,
    history,
    recent,
    store: current,
    goBack: async (): Promise<void> => {
      store = stack.use(await openStore('sqlite::memory:'));
      number -= 1;
    },
  };
}

test('a session that the store lost is not unknown: whoever asks for it is told of it once it is there again', async () => {
  const { stack, sessions, goBack } = await scene();
  await using _ = stack;
  await sessions.enrol(newSession('a'), bounds);
  await sessions.commit('a', 2000);
  await goBack();
  assert.equal((await sessions.find('a'))?.state, 'committed');
});

test('one that nobody knows is not called unknown before the others have had their time', async () => {
  const { stack, sessions, goBack } = await scene();
  await using _ = stack;
  assert.equal(await sessions.find('nobody'), undefined);
  await goBack();
  await assert.rejects(sessions.find('nobody'), { code: 'store_unavailable' });
});

test('a token whose use the store lost starts no other session', async () => {
  const { stack, sessions, goBack, store } = await scene();
  await using _ = stack;
  await sessions.enrol(newSession('a'), bounds);
  await sessions.commit('a', 2000);
  await goBack();
  assert.deepEqual(await sessions.enrol(newSession('copy', { enrolledMs: 3000 }), bounds), {
    kind: 'token_consumed',
    sessionId: 'a',
  });
  assert.equal((await store().sessions.find('copy'))?.state, 'revoked');
});

test('an ending that the store lost is there again; one that took no token along takes none now', async () => {
  const { stack, endings, goBack, store, history } = await scene();
  await using _ = stack;
  endings.push({ sessionId: 'a', sequence: 9, state: 'revoked', reason: 'an operator revoked it' });
  endings.push({ sessionId: 'b', sequence: 10, state: 'revoked', reason: supersededReason });
  await goBack();
  for (const id of ['a', 'b']) await store().sessions.enrol(newSession(id, { tokenKey: id }), bounds);
  await history.look();
  assert.equal((await store().sessions.find('a'))?.state, 'revoked');
  assert.equal((await store().sessions.find('b'))?.state, 'enrolled');
  assert.equal(await store().tokens.consumedBy('b'), undefined);
});

test('a token that was withdrawn stays so where the store lost that, and a session that began by it is over', async () => {
  const { stack, sessions, goBack, store, history } = await scene();
  await using _ = stack;
  const token = { tokenKey: 'token-1', tokenExpiresMs: 50_000 };
  await sessions.withdraw(token, 'a test', 2000);
  await goBack();
  assert.deepEqual(await sessions.enrol(newSession('copy', { enrolledMs: 3000 }), bounds), {
    kind: 'token_revoked',
    sessionId: 'copy',
  });
  assert.equal((await store().sessions.find('copy'))?.state, 'revoked');
  await goBack();
  await store().sessions.enrol(newSession('other', { enrolledMs: 3000 }), bounds);
  await store().sessions.commit('other', 3001);
  await history.look();
  assert.equal((await store().sessions.find('other'))?.state, 'revoked');
});

test('what began here is remembered for a time and in a number', () => {
  const recent = new RecentSessions();
  recent.note({ ...newSession('old'), state: 'enrolled' }, 0);
  recent.note({ ...newSession('new'), state: 'enrolled' }, defaultLimits.historyKeptMs + 1);
  assert.deepEqual(
    recent.all(defaultLimits.historyKeptMs + 1).map(({ id }) => id),
    ['new'],
  );
  for (let i = 0; i < defaultLimits.recentSessionsMax; i += 1)
    recent.note({ ...newSession(`s${i}`), state: 'enrolled' }, defaultLimits.historyKeptMs + 1);
  assert.equal(recent.find('new'), undefined);
  assert.equal(recent.all(defaultLimits.historyKeptMs + 1).length, defaultLimits.recentSessionsMax);
});

const lived = { ...newSession('a'), state: 'committed', committedMs: 2000 } as const;
const stolen = { state: 'revoked', reason: 'stolen' } as const;

test('a session of longer ago is not put back: that it was revoked may be forgotten', async () => {
  const { stack, recent, store } = await scene();
  await using _ = stack;
  recent.note(lived, 2000);
  const nowMs = 2000 + defaultLimits.historyKeptMs + 1;
  await assertAgain(store().sessions, { recent, endings: [] }, nowMs);
  assert.equal(await store().sessions.find('a'), undefined);
});

test('of two gateways of which one knows that a session ended and the other one that it lived, it is over, whoever is first', async () => {
  const endings = [{ ...stolen, sessionId: 'a', sequence: 9 }];
  for (const isEndingFirst of [true, false]) {
    const { stack, recent, store } = await scene();
    await using _ = stack;
    recent.note(lived, 2000);
    const tellings = [
      () => assertAgain(store().sessions, { recent: new RecentSessions(), endings }, 5000),
      () => assertAgain(store().sessions, { recent, endings: [] }, 5000),
    ];
    for (const tell of isEndingFirst ? tellings : tellings.toReversed()) await tell();
    assert.equal((await store().sessions.find('a'))?.state, 'revoked');
    assert.equal(await store().tokens.consumedBy('token-1'), 'a');
  }
});

test('what ended by this gateway is over behind a failover also where the ending was not read before', async () => {
  for (const commits of [true, false]) {
    const { stack, sessions, goBack, store } = await scene();
    await using _ = stack;
    await sessions.enrol(newSession('a'), bounds);
    if (commits) await sessions.commit('a', 2000);
    assert.equal(await sessions.end('a', stolen, 2500), true);
    await goBack();
    assert.equal((await sessions.find('a'))?.state, 'revoked');
    assert.equal(await store().tokens.consumedBy('token-1'), 'a');
  }
});

test('one that was not committed in time took no token along, and takes none now', async () => {
  const { stack, recent, store } = await scene();
  await using _ = stack;
  recent.note({ ...newSession('a'), state: 'enrolled' }, 2000);
  recent.end('a', { state: 'ended', reason: uncommittedInTime }, 2500);
  await assertAgain(store().sessions, { recent, endings: [] }, 5000);
  assert.equal(await store().tokens.consumedBy('token-1'), undefined);
});
