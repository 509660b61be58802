import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertAgain } from '../../../src/gateway/changes/assert-again.ts';
import { RecentSessions, rememberedSessions } from '../../../src/gateway/changes/recent-sessions.ts';
import { StoreHistory } from '../../../src/gateway/changes/store-history.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { supersededReason } from '../../../src/store/session-row.ts';
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

test('what began here is remembered for a time and in a number', () => {
  const recent = new RecentSessions();
  recent.note({ ...newSession('old'), state: 'enrolled' }, 0);
  recent.note({ ...newSession('new'), state: 'enrolled' }, defaultLimits.historyKeptMs + 1);
  assert.deepEqual(
    recent.all.map(({ id }) => id),
    ['new'],
  );
  for (let i = 0; i < defaultLimits.recentSessionsMax; i += 1)
    recent.note({ ...newSession(`s${i}`), state: 'enrolled' }, defaultLimits.historyKeptMs + 1);
  assert.equal(recent.find('new'), undefined);
  assert.equal(recent.all.length, defaultLimits.recentSessionsMax);
});
