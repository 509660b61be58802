import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TakenChanges } from '../../../src/gateway/changes/taken-changes.ts';
import type { ChangePlace } from '../../../src/store/change-store.ts';
import { ProxyError } from '../../../src/protocol/error.ts';

function scene() {
  const state = {
    newest: 1,
    fails: false,
    isTaken: true,
    looks: 0,
    history: 'h',
    waysBack: 0,
    standIns: 0,
    standing: false,
    handed: undefined as ChangePlace | undefined,
  };
  let tell: () => void = () => undefined;
  const faults: string[] = [];
  const open = () =>
    TakenChanges.open({
      history: {
        look: async () => {
          if (state.fails) throw new ProxyError('store_unavailable', 'away');
          return state.newest;
        },
        get name() {
          return state.history;
        },
        get waysBack() {
          return state.waysBack;
        },
      },
      store: {
        onChange: (listener) => {
          tell = () => listener(false);
          return () => {
            tell = () => undefined;
          };
        },
      },
      followers: [
        async () => true,
        async () => {
          state.looks += 1;
          state.standIns += state.standing ? 1 : 0;
          return state.isTaken;
        },
      ],
      standIns: () => state.standIns,
      handed: state.handed,
      handFollowers: [async () => state.isTaken],
      onFault: ({ message }) => faults.push(message),
    });
  /** Resolves when a look that was asked for is over: the next one behind it has begun. */
  const looked = async (changes: TakenChanges): Promise<void> => {
    tell();
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(changes);
  };
  return { state, open, looked, faults };
}

test('a change counts as taken when each that follows has looked behind it', async () => {
  const { state, open, looked } = scene();
  await using changes = await open();
  assert.equal(changes.number, 1);
  let told = 0;
  changes.onTaken(() => (told += 1));
  state.newest = 2;
  state.isTaken = false;
  await looked(changes);
  assert.equal(changes.number, 1);
  state.isTaken = true;
  await looked(changes);
  assert.deepEqual([changes.number, told], [2, 1]);
});

test('where nothing changed nobody is made to look', async () => {
  const { state, open, looked } = scene();
  await using changes = await open();
  const { looks } = state;
  await looked(changes);
  assert.equal(state.looks, looks);
});

test('one that is committed while others look is not taken with them', async () => {
  const state = { newest: 5 };
  await using changes = await TakenChanges.open({
    history: { look: async () => state.newest, name: 'h', waysBack: 0 },
    store: { onChange: () => () => undefined },
    followers: [
      async () => {
        state.newest = 6;
        return true;
      },
    ],
    onFault: assert.fail,
  });
  assert.equal(changes.number, 5);
});

test('what is heard of by another way is taken up to the first that was not', async () => {
  const { state, open, looked } = scene();
  await using changes = await open();
  changes.heard([2, 3, 5], 'h');
  assert.equal(changes.number, 3);
  changes.heard([2], 'h');
  assert.equal(changes.number, 3);
  state.newest = 5;
  await looked(changes);
  assert.equal(changes.number, 5);
});

test('a number of another history, or of one that is not said, is not taken', async () => {
  const { open } = scene();
  await using changes = await open();
  for (const history of ['other', undefined]) changes.heard([2], history);
  assert.equal(changes.number, 1);
});

test('what a store that went back has is taken anew, also where its number is the same or lower', async () => {
  const { state, open, looked } = scene();
  state.newest = 7;
  await using changes = await open();
  const { looks } = state;
  state.waysBack = 1;
  await looked(changes);
  assert.equal(state.looks, looks + 1);
  [state.waysBack, state.newest] = [2, 4];
  await looked(changes);
  assert.equal(changes.number, 4);
});

test('until all have looked at a store that went back, no number is said of either history', async () => {
  const { state, open, looked } = scene();
  state.newest = 7;
  await using changes = await open();
  [state.history, state.waysBack, state.newest, state.isTaken] = ['later', 1, 4, false];
  await looked(changes);
  assert.equal(changes.history, undefined);
  // Neither another way counts as one that this number goes on by.
  for (const history of ['h', 'later']) {
    changes.heard([8], history);
    await changes.hand({ history, number: 9 });
  }
  state.isTaken = true;
  await looked(changes);
  assert.deepEqual([changes.history, changes.number], ['later', 4]);
});

test('a store that is away leaves what was taken, and is told', async () => {
  const { state, open, looked, faults } = scene();
  await using changes = await open();
  state.fails = true;
  await looked(changes);
  assert.deepEqual([changes.number, faults], [1, ['away']]);
});

test('what somebody else said in place of the store does not count as the newest', async () => {
  const { state, open, looked } = scene();
  await using changes = await open();
  [state.newest, state.standing] = [2, true];
  await looked(changes);
  assert.equal(changes.number, 1);
  state.standing = false;
  await looked(changes);
  assert.equal(changes.number, 2);
});

test('what another gateway handed over is taken from the beginning, and heard of on from there', async () => {
  const { state, open } = scene();
  [state.newest, state.handed] = [9, { history: 'h', number: 9 }];
  await using changes = await open();
  assert.deepEqual([changes.number, state.looks], [9, 0]);
  changes.heard([10], 'h');
  assert.equal(changes.number, 10);
});

test('of a store that is back with more than was handed over, that is taken once it has been read', async () => {
  const { state, open, looked } = scene();
  [state.newest, state.handed, state.isTaken] = [12, { history: 'h', number: 9 }, false];
  await using changes = await open();
  await looked(changes);
  assert.equal(changes.number, 9);
  state.isTaken = true;
  await looked(changes);
  assert.equal(changes.number, 12);
});

test('of a store that is still away the handed number stands, and it is not asked for', async () => {
  const { state, open } = scene();
  [state.fails, state.handed] = [true, { history: 'h', number: 9 }];
  await using changes = await open();
  assert.equal(changes.number, 9);
});

test('what is handed on counts once those that follow it have taken it, and is of the same history', async () => {
  const { state, open } = scene();
  await using changes = await open();
  await changes.hand({ history: 'other', number: 5 });
  state.isTaken = false;
  await changes.hand({ history: 'h', number: 5 });
  assert.equal(changes.number, 1);
  state.isTaken = true;
  await changes.hand({ history: 'h', number: 5 });
  await changes.hand({ history: 'h', number: 4 });
  assert.equal(changes.number, 5);
});
