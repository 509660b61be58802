import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { DelayQueue } from '../../../bench/link/delay-queue.ts';

/** A queue on a clock that the test moves; timers fire `lateMs` late. */
function line({ delayMs = 10, bytesMax = 100, lateMs = 0 } = {}) {
  let nowMs = 0;
  const timers: { readonly atMs: number; readonly call: () => void }[] = [];
  const arrived: string[] = [];
  let rooms = 0;
  const queue = new DelayQueue({
    delayMs,
    bytesMax,
    now: () => nowMs,
    after: (ms, call) => timers.push({ atMs: nowMs + ms + lateMs, call }),
    send: (chunk) => arrived.push(`${nowMs}:${chunk.toString()}`),
    end: () => arrived.push(`${nowMs}:end`),
  });
  queue.onRoom = () => (rooms += 1);
  const until = (ms: number): void => {
    for (;;) {
      const next = timers.filter(({ atMs }) => atMs <= ms).toSorted((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      timers.splice(timers.indexOf(next), 1);
      nowMs = Math.max(nowMs, next.atMs);
      next.call();
    }
    nowMs = ms;
  };
  const push = (text: string, extraMs = 0): boolean => queue.push(Buffer.from(text), extraMs);
  return { queue, push, until, arrived, timers, rooms: () => rooms };
}

describe('one direction of a long line', () => {
  it('what comes in goes out after the delay, not one after the other', () => {
    const { push, until, arrived } = line();
    push('a');
    until(3);
    push('b');
    until(50);
    assert.deepEqual(arrived, ['10:a', '13:b']);
  });

  it('the end comes behind the last byte', () => {
    const { queue, push, until, arrived } = line();
    push('a');
    queue.push(undefined);
    until(50);
    assert.deepEqual(arrived, ['10:a', '10:end']);
  });

  it('a first piece that waits longer is not overtaken', () => {
    const { push, until, arrived } = line();
    push('a', 20);
    push('b');
    until(50);
    assert.deepEqual(arrived, ['30:a', '30:b']);
  });

  it('a timer that is late delays nothing but what was due, and what was due goes at once', () => {
    const { push, until, arrived } = line({ lateMs: 4 });
    push('a');
    until(2);
    push('b');
    until(50);
    assert.deepEqual(arrived, ['14:a', '14:b']);
  });

  it('says that it is full, and once that there is room', () => {
    const { push, until, rooms } = line({ bytesMax: 10 });
    assert.equal(push('12345'), true);
    until(5);
    assert.equal(push('67890'), false);
    until(10);
    assert.equal(rooms(), 0, 'half is still on the way');
    until(15);
    assert.equal(rooms(), 1);
    assert.equal(push('x'), true);
  });

  it('keeps nothing of what went out, and has one timer at a time', () => {
    const { push, until, arrived, timers } = line({ bytesMax: 1e9 });
    for (let i = 0; i < 5000; i += 1) {
      push(`${i}`);
      until(i + 1);
      assert.ok(timers.length <= 1);
    }
    until(10_000);
    assert.equal(arrived.length, 5000);
    assert.deepEqual(
      arrived.map((each) => each.split(':')[1]),
      Array.from({ length: 5000 }, (_, i) => `${i}`),
    );
    assert.equal(timers.length, 0);
  });
});
