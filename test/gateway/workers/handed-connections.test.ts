import assert from 'node:assert/strict';
import { test } from 'node:test';

import { StrangerConnections } from '../../../src/gateway/admission/stranger-connections.ts';
import { HandedConnections } from '../../../src/gateway/workers/handed-connections.ts';
import { fakeSocket } from './fake-socket.ts';

interface Taken {
  readonly worker: number;
  readonly connection: number;
}

function scene(strangersMax = 100): {
  readonly hands: HandedConnections;
  readonly strangers: StrangerConnections;
  readonly taken: Taken[];
  readonly limits: string[];
  readonly taker: (number: number) => { readonly number: number; take(connection: number): void };
} {
  const strangers = new StrangerConnections({ strangersMax, strangersPerSourceMax: 100 });
  const [taken, limits]: [Taken[], string[]] = [[], []];
  const hands = new HandedConnections({ strangers, waitMs: 60_000, onLimit: (limit) => limits.push(limit) });
  const taker = (worker: number) => ({
    number: worker,
    take: (connection: number) => void taken.push({ worker, connection }),
  });
  return { hands, strangers, taken, limits, taker };
}

test('each connection goes to the worker that has fewest, also when some have ended', () => {
  const { hands, taken, taker } = scene();
  const takers = [taker(1), taker(2)];
  for (let i = 0; i < 4; i += 1) hands.hand(fakeSocket('192.0.2.1'), takers);
  assert.deepEqual([hands.loadOf(1), hands.loadOf(2)], [2, 2]);
  for (const { connection } of taken.filter(({ worker }) => worker === 2)) hands.closed(2, connection);
  for (let i = 0; i < 2; i += 1) hands.hand(fakeSocket('192.0.2.1'), takers);
  assert.deepEqual([hands.loadOf(1), hands.loadOf(2)], [2, 2]);
});

test('strangers are counted over all workers until they show a session, end, or their worker is gone', () => {
  const { hands, strangers, taken, limits, taker } = scene(3);
  const takers = [taker(1), taker(2)];
  const refused = [1, 2, 3, 4].map(() => {
    const socket = fakeSocket('192.0.2.1');
    hands.hand(socket, takers);
    return socket.destroyed;
  });
  assert.deepEqual(refused, [false, false, false, true]);
  assert.deepEqual(limits, ['strangersMax']);
  const [first, second] = taken;
  hands.shown(first!.worker, first!.connection);
  // What a worker says of the connections of another changes nothing.
  hands.closed(first!.worker, second!.connection);
  assert.equal(strangers.count, 2);
  hands.leave(1);
  hands.leave(2);
  assert.equal(strangers.count, 0);
  assert.equal(hands.readmit(1, first!.connection, '192.0.2.9'), undefined);
  assert.equal(strangers.count, 0);
});

test('a connection waits for a worker that serves, and is cut off where none will', () => {
  const { hands, strangers, taken, taker } = scene();
  const [one, two] = [fakeSocket('192.0.2.1'), fakeSocket('192.0.2.1')];
  hands.hand(one, []);
  hands.handWaiting([taker(1)]);
  assert.equal(taken.length, 1);
  hands.hand(two, []);
  hands.close();
  assert.deepEqual([one.destroyed, two.destroyed, strangers.count], [false, true, 1]);
});
