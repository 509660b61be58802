import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';

import { StrangerConnections } from '../../../src/gateway/admission/stranger-connections.ts';
import { HandedConnections } from '../../../src/gateway/workers/handed-connections.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { fakeSocket } from './fake-socket.ts';

interface Taken {
  readonly worker: number;
  readonly connection: number;
}

const waitMs = 10_000;

function scene(
  strangersMax = 100,
  strangersPerSourceMax = 100,
  more: { readonly connectionsMax?: number } = {},
): {
  readonly hands: HandedConnections;
  readonly strangers: StrangerConnections;
  readonly taken: Taken[];
  readonly limits: string[];
  readonly taker: (number: number) => { readonly number: number; take(connection: number): void };
} {
  const strangers = new StrangerConnections({ strangersMax, strangersPerSourceMax });
  const [taken, limits]: [Taken[], string[]] = [[], []];
  let count = 0;
  const hands = new HandedConnections({
    port: 'proxy',
    strangers,
    waitMs,
    ...more,
    newNumber: () => (count += 1),
    onLimit: (limit) => limits.push(limit),
  });
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
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const { hands, strangers, taken, taker } = scene();
    const [one, two, three] = [
      fakeSocket('192.0.2.1'),
      fakeSocket('192.0.2.1'),
      fakeSocket('192.0.2.1'),
    ] as const;
    hands.hand(one, []);
    hands.handWaiting([taker(1)]);
    assert.equal(taken.length, 1);
    hands.taken(1, taken[0]!.connection);
    hands.hand(two, []);
    mock.timers.tick(waitMs - 1);
    assert.deepEqual([two.destroyed, strangers.count], [false, 2]);
    mock.timers.tick(1);
    assert.deepEqual([two.destroyed, strangers.count], [true, 1]);
    // Nobody gets what is cut off already.
    hands.handWaiting([taker(1)]);
    assert.equal(taken.length, 1);
    hands.hand(three, []);
    hands.close();
    assert.deepEqual([three.destroyed, strangers.count], [true, 1]);
  } finally {
    mock.timers.reset();
  }
});

test('what a worker never took ends with the worker, and what it took is its own', () => {
  const { hands, strangers, taken, taker } = scene();
  const sockets = [1, 2, 3].map(() => fakeSocket('192.0.2.1'));
  for (const socket of sockets) hands.hand(socket, [taker(1)]);
  const [first] = taken;
  // Of another worker it means nothing.
  hands.taken(2, first!.connection);
  assert.equal(sockets[0]!.destroyed, false);
  // The worker has a descriptor of its own by then.
  hands.taken(1, first!.connection);
  assert.deepEqual(
    sockets.map(({ destroyed }) => destroyed),
    [true, false, false],
  );
  assert.deepEqual([strangers.count, hands.loadOf(1)], [3, 3]);
  hands.leave(1);
  assert.deepEqual(
    sockets.map(({ destroyed }) => destroyed),
    [true, true, true],
  );
  assert.deepEqual([strangers.count, hands.loadOf(1)], [0, 0]);
});

test('a worker that takes nothing costs its connections no more than the wait for a worker, and gets a bounded number', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const { hands, strangers, taken, taker } = scene(10_000, 10_000);
    const { workerUntakenMax } = defaultLimits;
    const takers = [taker(1)];
    const sockets = Array.from({ length: workerUntakenMax + 1 }, () => fakeSocket('192.0.2.1'));
    for (const socket of sockets) hands.hand(socket, takers);
    // The last one waits for another worker.
    assert.equal(taken.length, workerUntakenMax);
    hands.handWaiting([...takers, taker(2)]);
    assert.deepEqual(taken.at(-1), { worker: 2, connection: workerUntakenMax + 1 });
    hands.taken(2, workerUntakenMax + 1);
    mock.timers.tick(waitMs);
    // What is to be written goes first.
    await setImmediate();
    assert.ok(sockets.every(({ destroyed }) => destroyed));
    assert.equal(strangers.count, 1);
    // It still has them to take, whenever it does.
    hands.hand(fakeSocket('192.0.2.1'), takers);
    assert.equal(taken.length, workerUntakenMax + 1);
    hands.closed(1, taken[0]!.connection);
    hands.handWaiting(takers);
    assert.equal(taken.length, workerUntakenMax + 2);
    hands.close();
  } finally {
    mock.timers.reset();
  }
});

test('no more connections than may be at a time are handed to all workers together', () => {
  const { hands, taken, limits, taker } = scene(100, 100, { connectionsMax: 3 });
  const takers = [taker(1), taker(2)];
  const refused = (): boolean => {
    const socket = fakeSocket('192.0.2.1');
    hands.hand(socket, takers);
    return socket.destroyed;
  };
  assert.deepEqual([refused(), refused(), refused(), refused()], [false, false, false, true]);
  assert.deepEqual(limits, ['connectionsMax']);
  // One that showed a session counts as well; one that ended does not.
  hands.shown(taken[0]!.worker, taken[0]!.connection);
  assert.equal(refused(), true);
  hands.closed(taken[0]!.worker, taken[0]!.connection);
  assert.equal(refused(), false);
});
