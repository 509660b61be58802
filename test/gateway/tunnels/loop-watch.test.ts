import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LoopStall, LoopWatch } from '../../../src/gateway/tunnels/loop-watch.ts';

function watched() {
  const stalls: LoopStall[] = [];
  const turn: (() => void)[] = [];
  const clock = { nowMs: 0 };
  const watch = new LoopWatch({
    stallMs: 100,
    onStall: (stall) => stalls.push(stall),
    nowMs: () => clock.nowMs,
    afterTurn: (callback) => turn.push(callback),
  });
  const endTurn = (): void => {
    for (const callback of turn.splice(0)) callback();
  };
  return { watch, stalls, clock, endTurn, turn };
}

test('the session whose work held the loop is named, and not those before and after it', () => {
  const { watch, stalls, clock, endTurn } = watched();
  watch.enter('quick');
  clock.nowMs += 5;
  watch.enter('slow');
  clock.nowMs += 250;
  watch.enter('next');
  clock.nowMs += 5;
  endTurn();
  assert.deepEqual(stalls, [{ sessionId: 'slow', durationMs: 250 }]);
});

test('the last work of a turn counts to its end, and waiting for nothing does not count', () => {
  const { watch, stalls, clock, endTurn, turn } = watched();
  watch.enter('slow');
  clock.nowMs += 150;
  endTurn();
  assert.deepEqual(stalls, [{ sessionId: 'slow', durationMs: 150 }]);
  clock.nowMs += 60_000;
  watch.enter('later');
  clock.nowMs += 1;
  endTurn();
  assert.equal(stalls.length, 1);
  assert.equal(turn.length, 0);
});

test('on the real loop a session that does not yield is told', async () => {
  const { promise, resolve } = Promise.withResolvers<LoopStall>();
  const watch = new LoopWatch({ stallMs: 30, onStall: resolve });
  watch.enter('busy');
  const untilMs = performance.now() + 40;
  while (performance.now() < untilMs) {
    // Holds the loop.
  }
  assert.equal((await promise).sessionId, 'busy');
});
