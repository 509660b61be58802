import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventQueue } from '../../src/protocol/tunnel-event.ts';

test('events come out in order, also when some are put in between', () => {
  const queue = new EventQueue();
  const taken: number[] = [];
  const take = (): void => {
    const event = queue.shift();
    if (event?.type === 'end') taken.push(event.streamId);
  };
  for (let id = 1; id <= 6; id += 2) {
    queue.push({ type: 'end', streamId: id });
    queue.push({ type: 'end', streamId: id + 1 });
    take();
  }
  for (let i = 0; i < 5; i++) take();
  assert.deepEqual(taken, [1, 2, 3, 4, 5, 6]);
  assert.equal(queue.shift(), undefined);
});
