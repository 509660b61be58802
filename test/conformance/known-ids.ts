// What every engine of the store must do with ids that sessions were told; part of the suite in store.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Store } from '../../src/store/store.ts';
import { newSession } from './new-session.ts';

const bounds = { enrolmentsPerTokenMax: 10 };
const at = (nowMs: number, max = 100) => ({ nowMs, max });

export function knownIdConformance(open: () => Promise<Store>): void {
  test('ids that a session was told are its own, the newest last, and only so many', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    await store.sessions.enrol(newSession('b', { tokenKey: 'token-2' }), bounds);
    await store.knownIds.learn('a', ['x', 'y', 'x'], at(1));
    await store.knownIds.learn('a', ['z'], at(2));
    await store.knownIds.learn('a', ['x'], at(3));
    assert.deepEqual(await store.knownIds.toldTo('a'), ['y', 'z', 'x']);
    assert.deepEqual(await store.knownIds.toldTo('b'), []);
    await store.knownIds.learn('a', ['w'], at(4, 2));
    assert.deepEqual(await store.knownIds.toldTo('a'), ['x', 'w']);
    await store.knownIds.learn('a', [], at(5));
    assert.equal((await store.knownIds.toldTo('a')).length, 2);
  });

  test('a session that is over, or unknown, is told nothing, and what is forgotten is gone', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    await store.knownIds.learn('a', ['x'], at(1));
    await store.knownIds.learn('nobody', ['x'], at(1));
    assert.deepEqual(await store.knownIds.toldTo('nobody'), []);
    await store.knownIds.forget('a');
    assert.deepEqual(await store.knownIds.toldTo('a'), []);
    await store.sessions.end('a', { state: 'ended', reason: 'done' }, 2000);
    await store.knownIds.learn('a', ['y'], at(2));
    assert.deepEqual(await store.knownIds.toldTo('a'), []);
  });

  test('what is told to one session at two gateways at once is all known', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    const one = Array.from({ length: 60 }, (_, i) => `id-${String(i).padStart(2, '0')}`);
    await Promise.all([
      store.knownIds.learn('a', one.slice(0, 40), at(1)),
      store.knownIds.learn('a', one.slice(20).toReversed(), at(1)),
    ]);
    assert.deepEqual([...(await store.knownIds.toldTo('a'))].sort(), one);
  });
}
