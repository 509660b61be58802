import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  LinkWindow,
  linkCreditBytesInitial,
  ReceivePool,
  ReceiveWindow,
  streamReserveBytes as reserve,
} from '../../src/protocol/flow-window.ts';
import { randomFrom } from '../../fuzz/run-target.ts';
import { HeldOctets } from '../../src/protocol/held-octets.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';

const MiB = 1024 * 1024;
const { windowBytesInitial, windowBytesMax, connectionWindowBytes } = defaultLimits;

/** Receives and drains at once what credit there is, in one round trip of 20 ms; gives the credit after it. */
function roundTrip(window: ReceiveWindow, clock: { nowMs: number }, elapsedMs = 20): number {
  const bytes = window.creditBytes;
  window.received(bytes, clock.nowMs);
  clock.nowMs += elapsedMs;
  window.consumed(bytes, clock.nowMs, 20);
  return window.creditBytes;
}

function takeAll(pool: ReceivePool): void {
  pool.commit(0, pool.free + reserve);
}

describe('the window of a stream', () => {
  test('starts with the reserve and is given the initial window while the pool has room', () => {
    const window = new ReceiveWindow(new ReceivePool(connectionWindowBytes), defaultLimits);
    assert.equal(window.creditBytes, reserve);
    assert.equal(window.grantInitially(), windowBytesInitial - reserve);
    assert.equal(window.creditBytes, windowBytesInitial);
  });

  test('gets only the reserve once the pool is half used, and the initial window when it has drained something', () => {
    const pool = new ReceivePool(connectionWindowBytes);
    pool.commit(0, connectionWindowBytes / 2 + reserve);
    const window = new ReceiveWindow(pool, defaultLimits);
    assert.equal(window.grantInitially(), 0);
    window.received(reserve, 0);
    assert.equal(window.consumed(reserve / 2 - 1, 1, undefined), 0);
    assert.equal(window.consumed(1, 1, undefined), windowBytesInitial - reserve / 2);
  });

  test('is widened out of what all tunnels of a session may promise, and gives it back', () => {
    const held = new HeldOctets({ ...defaultLimits, heldOctetsPerSessionMax: 4 * MiB });
    const pools = [1, 2].map(() => new ReceivePool(connectionWindowBytes, held.spare('one')));
    const windows = pools.flatMap((pool) =>
      Array.from({ length: 8 }, () => new ReceiveWindow(pool, defaultLimits)),
    );
    const granted = windows.reduce((sum, window) => sum + window.grantInitially(), 0);
    assert.ok(granted > 0);
    assert.equal(held.ofSession('one'), granted);
    const clock = { nowMs: 0 };
    for (let i = 0; i < 20; i += 1)
      for (const window of windows)
        assert.ok(roundTrip(window, clock) >= reserve / 2, 'it is slower, never stopped');
    assert.ok(held.ofSession('one') <= 2 * MiB);
    for (const window of windows) window.release();
    assert.equal(held.all, 0);
  });

  test('has what it holds of its reserve counted while it is there, and never what its peer may still send', () => {
    const held = new HeldOctets(defaultLimits);
    const pool = new ReceivePool(connectionWindowBytes, undefined, held.counted('one'));
    const windows = Array.from({ length: 6 }, () => new ReceiveWindow(pool, defaultLimits));
    for (const window of windows) window.grantInitially();
    assert.equal(held.ofSession('one'), 0);
    const random = randomFrom(12);
    for (let step = 0; step < 4000; step += 1) {
      const window = windows[random(windows.length)];
      if (window === undefined) continue;
      const isArrival = random(2) === 0;
      const bytes = random(1 + Math.min(isArrival ? window.creditBytes : window.heldBytes, reserve));
      if (isArrival) window.received(bytes, step);
      else window.consumed(bytes, step, 20);
      const expected = windows.reduce((sum, { heldBytes }) => sum + Math.min(heldBytes, reserve), 0);
      assert.equal(held.ofSession('one'), expected);
    }
    assert.ok(held.ofSession('one') > 0);
    for (const window of windows) window.release();
    assert.equal(held.ofSession('one'), 0);
  });

  test('grants in lumps of at least half a window', () => {
    const window = new ReceiveWindow(new ReceivePool(connectionWindowBytes), defaultLimits);
    window.grantInitially();
    window.received(windowBytesInitial, 0);
    let grants = 0;
    for (let drained = 0; drained < windowBytesInitial; drained += 16 * 1024) {
      if (window.consumed(16 * 1024, 1000, undefined) > 0) grants += 1;
    }
    assert.equal(grants, 2);
    assert.equal(window.creditBytes, windowBytesInitial);
  });

  test('doubles up to its limit while a window is used up within two round trips', () => {
    const window = new ReceiveWindow(new ReceivePool(connectionWindowBytes), defaultLimits);
    window.grantInitially();
    const clock = { nowMs: 0 };
    const sizes = Array.from({ length: 6 }, () => roundTrip(window, clock) / MiB);
    assert.deepEqual(sizes, [2, 4, 8, 16, 16, 16]);
    assert.equal(windowBytesMax, 16 * MiB);
  });

  test('does not grow for a slow reader, nor while the round trip is unknown', () => {
    const slow = new ReceiveWindow(new ReceivePool(connectionWindowBytes), defaultLimits);
    slow.grantInitially();
    assert.equal(roundTrip(slow, { nowMs: 0 }, 41), windowBytesInitial);
    const unknown = new ReceiveWindow(new ReceivePool(connectionWindowBytes), defaultLimits);
    unknown.grantInitially();
    unknown.received(windowBytesInitial, 0);
    unknown.consumed(windowBytesInitial, 1, undefined);
    assert.equal(unknown.creditBytes, windowBytesInitial);
  });

  test('the time before the first byte does not count against growth, later pauses do', () => {
    const window = new ReceiveWindow(new ReceivePool(connectionWindowBytes), defaultLimits);
    window.grantInitially();
    const clock = { nowMs: 60_000 };
    assert.equal(roundTrip(window, clock), 2 * MiB);
    clock.nowMs += 1000;
    assert.equal(roundTrip(window, clock), 2 * MiB);
    assert.equal(roundTrip(window, clock), 4 * MiB);
  });

  test('shrinks when the pool is low and it is far larger than its stream needs', () => {
    const pool = new ReceivePool(connectionWindowBytes);
    const window = new ReceiveWindow(pool, defaultLimits);
    window.grantInitially();
    const clock = { nowMs: 0 };
    roundTrip(window, clock);
    roundTrip(window, clock);
    assert.equal(window.creditBytes, 4 * MiB);
    pool.commit(0, connectionWindowBytes * 0.95 + reserve);
    assert.equal(roundTrip(window, clock, 1000), 2 * MiB);
    assert.equal(roundTrip(window, clock, 1000), 1 * MiB);
  });

  test('always gets its reserve back, whatever the pool', () => {
    const pool = new ReceivePool(connectionWindowBytes);
    takeAll(pool);
    const window = new ReceiveWindow(pool, defaultLimits);
    for (let i = 0; i < 10; i++) {
      window.received(window.creditBytes, i);
      assert.equal(window.consumed(window.heldBytes, i, 20), reserve);
      assert.equal(pool.free, 0);
    }
  });

  test('grants no more than the pool has, whatever window it had before', () => {
    const pool = new ReceivePool(connectionWindowBytes);
    const window = new ReceiveWindow(pool, defaultLimits);
    window.grantInitially();
    const clock = { nowMs: 0 };
    for (let i = 0; i < 5; i++) roundTrip(window, clock);
    window.received(windowBytesMax, clock.nowMs);
    assert.equal(window.consumed(7 * MiB, clock.nowMs, 20), 0);
    takeAll(pool);
    assert.equal(window.consumed(1 * MiB, clock.nowMs, 20), 1 * MiB);
    assert.equal(pool.free, 0);
    assert.equal(window.consumed(1 * MiB - 1000, clock.nowMs, 20), 0);
    takeAll(pool);
    assert.equal(window.consumed(1000, clock.nowMs, 20), 0, 'a crumb waits');
    assert.ok(pool.free >= 0);
  });

  test('a peer whose credit is used up in any way gets new credit once all is drained', () => {
    for (const piece of [1, 7, 1000, reserve / 2, reserve]) {
      const pool = new ReceivePool(connectionWindowBytes);
      takeAll(pool);
      const window = new ReceiveWindow(pool, defaultLimits);
      for (let total = 0; total < 4 * reserve;) {
        const bytes = Math.min(piece, window.creditBytes);
        assert.ok(bytes > 0, `stuck after ${total} bytes in pieces of ${piece}`);
        window.received(bytes, 0);
        window.consumed(bytes, 0, 20);
        total += bytes;
      }
    }
  });

  test('what a stream was promised comes back to the pool when it closes, what it holds when that is drained', () => {
    const pool = new ReceivePool(connectionWindowBytes);
    const window = new ReceiveWindow(pool, defaultLimits);
    window.grantInitially();
    window.received(reserve + 1000, 0);
    assert.equal(pool.free, connectionWindowBytes - (windowBytesInitial - reserve));
    window.close();
    assert.equal(pool.free, connectionWindowBytes - 1000);
    assert.equal(window.consumed(1000, 0, 20), 0);
    assert.equal(pool.free, connectionWindowBytes);
    window.release();
    assert.deepEqual([pool.free, window.heldBytes, window.creditBytes], [connectionWindowBytes, 0, 0]);
  });

  test('growing streams leave the pool something for the next', () => {
    const pool = new ReceivePool(connectionWindowBytes);
    const sizes = Array.from({ length: 8 }, () => {
      const window = new ReceiveWindow(pool, defaultLimits);
      window.grantInitially();
      const clock = { nowMs: 0 };
      for (let i = 0; i < 6; i++) roundTrip(window, clock);
      return window.creditBytes;
    });
    assert.ok(pool.free > 0);
    assert.equal(sizes[0], windowBytesMax);
    for (const size of sizes) assert.ok(size >= windowBytesInitial, `${sizes.join(' ')}`);
  });
});

describe('the window of the link', () => {
  test('starts with what both ends know and is filled up when half is used', () => {
    const link = new LinkWindow(defaultLimits);
    assert.equal(link.creditBytes, linkCreditBytesInitial);
    link.received(1);
    assert.equal(link.grant(), connectionWindowBytes - linkCreditBytesInitial + 1);
    link.received(connectionWindowBytes / 2 - 1);
    assert.equal(link.grant(), 0);
    link.received(1);
    assert.equal(link.grant(), connectionWindowBytes / 2);
  });
});
