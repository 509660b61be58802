import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { inTurns } from '../../../src/gateway/policies/in-turns.ts';

function* steps(count: number, weight: number): Generator<number, string> {
  for (let i = 0; i < count; i += 1) yield weight;
  return 'done';
}

test('other work passes between the turns, as many as the steps weigh', async () => {
  let turns = 0;
  const over = new AbortController();
  const count = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await nextTurn();
      turns += 1;
    }
  };
  const counting = count();
  assert.equal(await inTurns(steps(100, 10), 100), 'done');
  over.abort();
  await counting;
  assert.ok(turns >= 10 && turns < 15, `${turns} turns`);
});

test('what throws in a step is thrown', async () => {
  const failing = function* (): Generator<number, string> {
    yield 1;
    throw new Error('no');
  };
  await assert.rejects(inTurns(failing()), /no/);
});
