import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StartFacts } from '../../../src/gateway/changes/known-store.ts';
import { HeardFacts } from '../../../src/gateway/peers/heard-facts.ts';
import type { KnownPeer } from '../../../src/gateway/peers/peer-directory.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import type { SealedIdentity } from '../../../src/store/gateway-store.ts';
import type { ChangePlace } from '../../../src/store/change-store.ts';

const peer: KnownPeer = { incarnation: 'ab'.repeat(16), address: '10.0.0.2:8444' };

const row = (version: number): SealedIdentity => ({ version, sealed: 'sealed' });

function scene() {
  const state = {
    number: 5,
    sinceMs: 1 as number | undefined,
    has: 7,
    history: 'h',
    isAll: true,
    version: 4,
    isOpened: true,
    nowMs: 1000,
  };
  const [asked, taken, handed, faults]: [KnownPeer[], StartFacts[], ChangePlace[], string[]] = [
    [],
    [],
    [],
    [],
  ];
  const [keys, looks]: [(number | undefined)[], number[]] = [[], []];
  let fault: ProxyError | undefined;
  const heard = new HeardFacts({
    known: {
      hear: (facts) => {
        // As the one of the gateway, which takes nothing while the store is there.
        if (state.sinceMs === undefined) return false;
        taken.push(facts as StartFacts);
        return state.isAll;
      },
      facts: { identity: row(3), policies: [], files: new Map(), grants: [] },
      hearIdentity: async ({ identity }, open) => {
        keys.push(identity?.version);
        if (!state.isAll || identity === undefined) return 'old';
        return (await open(identity)) ? 'opened' : 'refused';
      },
    },
    changes: {
      history: 'h',
      get number() {
        return state.number;
      },
      hand: async (place) => {
        handed.push(place);
        state.number = place.number;
      },
    },
    absence: {
      get sinceMs() {
        return state.sinceMs;
      },
      untilMs: undefined,
      isPast: false,
    },
    ask: async (one) => {
      asked.push(one);
      if (fault !== undefined) throw fault;
      return {
        place: { history: state.history, number: state.has },
        identity: row(state.version),
        policies: [],
        files: new Map(),
        grants: [],
        endings: [],
      };
    },
    onIdentity: async () => {
      looks.push(1);
      return state.isOpened;
    },
    ticks: () => state.nowMs,
    onFault: ({ message }) => faults.push(message),
  });
  const tellIdentity = async (version: number, one = peer): Promise<void> => {
    heard.onIdentity(one, version);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const tell = async (number: number, history = 'h'): Promise<void> => {
    heard.onTaken(peer, { history, number });
    await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    state,
    asked,
    taken,
    handed,
    faults,
    heard,
    keys,
    looks,
    tell,
    tellIdentity,
    fail: (one?: ProxyError) => (fault = one),
  };
}

test('what another gateway has taken more is asked for, and counts up to what it had said', async () => {
  const { asked, handed, taken, tell } = scene();
  await tell(6);
  assert.deepEqual([asked.length, taken.length], [1, 1]);
  // It has gone on since: endings of that may not have been heard yet.
  assert.deepEqual(handed, [{ history: 'h', number: 6 }]);
  await tell(6);
  assert.equal(asked.length, 1);
  await tell(7);
  assert.equal(asked.length, 2);
});

test('nothing is asked while the store is there, of another history, or of one that knows no more', async () => {
  const { state, asked, tell } = scene();
  await tell(5);
  await tell(9, 'other');
  state.sinceMs = undefined;
  await tell(9);
  assert.deepEqual(asked, []);
});

test('facts that are older than what was said, of another history, or late for a store that is back are not taken', async () => {
  const { state, asked, taken, handed, tell, heard } = scene();
  state.has = 5;
  await tell(6);
  [state.has, state.history] = [9, 'other'];
  await tell(6);
  state.history = 'h';
  heard.onTaken(peer, { history: 'h', number: 6 });
  state.sinceMs = undefined;
  await tell(6);
  assert.deepEqual([asked.length, taken.length, handed.length], [3, 0, 0]);
});

test('what lacks something that is asked for here counts as nothing, and is asked for again', async () => {
  const { state, asked, taken, handed, tell } = scene();
  state.isAll = false;
  await tell(6);
  assert.deepEqual([asked.length, taken.length, handed], [1, 1, []]);
  state.isAll = true;
  await tell(6);
  assert.deepEqual([asked.length, handed], [2, [{ history: 'h', number: 6 }]]);
});

test('one that cannot be asked is told once, and asked again when it says more', async () => {
  const { asked, faults, tell, fail, handed } = scene();
  fail(new ProxyError('peer_unreachable', 'it is gone'));
  await tell(6);
  await tell(6);
  assert.deepEqual([asked.length, faults], [2, ['it is gone']]);
  fail();
  await tell(6);
  assert.equal(handed.length, 1);
});

test('a later identity than this gateway has is asked for while the store is away, and looked at once it is known', async () => {
  const { state, asked, keys, looks, tellIdentity, heard } = scene();
  for (const version of [2, 3]) await tellIdentity(version);
  assert.equal(asked.length, 0);
  await tellIdentity(4);
  assert.deepEqual([keys, looks.length], [[4], 1]);
  // It may be an earlier one that comes.
  state.isAll = false;
  await tellIdentity(5);
  assert.deepEqual([keys, looks.length], [[4, 4], 1]);
  state.sinceMs = undefined;
  await tellIdentity(6);
  await heard[Symbol.asyncDispose]();
  state.sinceMs = 1;
  await tellIdentity(7);
  assert.equal(asked.length, 2);
});

test('a gateway whose identity cannot be opened here is asked again after a while, and others are asked meanwhile', async () => {
  const { state, asked, tellIdentity } = scene();
  const other = { ...peer, incarnation: 'cd'.repeat(16) };
  state.isOpened = false;
  for (const version of [4, 4, 5]) await tellIdentity(version);
  assert.equal(asked.length, 1);
  for (let i = 0; i < 2; i += 1) await tellIdentity(4, other);
  assert.deepEqual(asked, [peer, other]);
  state.nowMs += 30_000;
  state.isOpened = true;
  for (let i = 0; i < 2; i += 1) await tellIdentity(4);
  assert.deepEqual(asked, [peer, other, peer, peer]);
  // So many are remembered.
  state.isOpened = false;
  const many = Array.from({ length: 40 }, (_, i) => ({ ...peer, incarnation: String(i) }));
  for (const one of many) await tellIdentity(4, one);
  assert.equal(asked.length, 44);
  await tellIdentity(4, many[39]);
  await tellIdentity(4, many[0]);
  assert.equal(asked.length, 45);
});

test('one question at a time, and none once it is closed', async () => {
  const { asked, heard, tell } = scene();
  heard.onTaken(peer, { history: 'h', number: 6 });
  heard.onTaken(peer, { history: 'h', number: 7 });
  assert.equal(asked.length, 1);
  await heard[Symbol.asyncDispose]();
  await tell(9);
  assert.equal(asked.length, 1);
});
