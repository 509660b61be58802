import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StoreHistory, type WayBack } from '../../../src/gateway/changes/store-history.ts';
import type { ChangePlace } from '../../../src/store/change-store.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

function scene(handed?: ChangePlace) {
  const state = { history: '1', number: 42, ticksMs: 0, looks: 0 };
  const ways: WayBack[] = [];
  const history = new StoreHistory({
    changes: {
      newest: async () => state.number,
      place: async () => {
        state.looks += 1;
        return { history: state.history, number: state.number };
      },
    },
    handed,
    ticks: () => state.ticksMs,
  });
  return { state, history, ways };
}

test('a lower number, and another history of the same number, are a way back, which is told before the look is over', async () => {
  const { state, history, ways } = scene();
  history.onWayBack(async (way) => void ways.push(way));
  assert.equal(await history.look(), 42);
  state.number = 43;
  assert.equal(await history.look(), 43);
  state.number = 41;
  assert.equal(await history.look(), 41);
  assert.deepEqual(ways, [{ from: { history: '1', number: 43 }, to: { history: '1', number: 41 } }]);
  state.history = '2';
  await history.look();
  assert.equal(ways.length, 2);
  await history.look();
  assert.deepEqual([ways.length, history.waysBack], [2, 2]);
});

test('a store that has less than what another gateway handed over went back, at the first look', async () => {
  for (const [handed, isBack] of [
    [{ history: '1', number: 43 }, true],
    [{ history: '0', number: 42 }, true],
    [{ history: '1', number: 42 }, false],
    [{ history: '1', number: 41 }, false],
  ] as const) {
    const { history, ways } = scene(handed);
    assert.equal(history.name, handed.history);
    history.onWayBack(async (way) => void ways.push(way));
    assert.equal(await history.look(), 42);
    assert.deepEqual(ways, isBack ? [{ from: handed, to: { history: '1', number: 42 } }] : []);
  }
});

test('nothing is unknown from the way back on until each gateway has had its time', async () => {
  const { state, history } = scene();
  const during: boolean[] = [];
  const names: (string | undefined)[] = [history.name];
  history.onWayBack(async () => {
    during.push(history.isSettled);
    names.push(history.name);
  });
  await history.look();
  names.push(history.name);
  assert.equal(history.isSettled, true);
  state.number = 1;
  await history.look();
  assert.deepEqual([during, history.isSettled], [[false], false]);
  assert.deepEqual([...names, history.name], [undefined, '1', undefined, '1']);
  state.ticksMs = defaultLimits.historySettleMs;
  assert.equal(history.isSettled, true);
});

test('where it could not be told again, the next look tries, and nothing is unknown until then', async () => {
  const { state, history, ways } = scene();
  let fails = true;
  history.onWayBack(async (way) => {
    if (fails) throw new ProxyError('store_unavailable', 'away');
    ways.push(way);
    // What is told again are changes too.
    state.number += 5;
  });
  await history.look();
  state.number = 1;
  await assert.rejects(history.look(), { code: 'store_unavailable' });
  state.ticksMs = 10 * defaultLimits.historySettleMs;
  assert.equal(history.isSettled, false);
  fails = false;
  assert.equal(await history.look(), 6);
  assert.equal(ways.length, 1);
  await history.look();
  assert.equal(ways.length, 1);
});

test('who asks before a look begins shares it', async () => {
  const { state, history } = scene();
  await Promise.all(Array.from({ length: 10 }, () => history.look()));
  assert.equal(state.looks, 1);
});
