import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beforeAbort, delay, reconnectDelayMs } from '../../../src/agent/uplink/delay.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { resourceBaseline, resourcesSettled } from '../../support/resources.ts';

const limits = { ...defaultLimits, reconnectDelayMsInitial: 100, reconnectDelayMsMax: 1000 };

test('the wait doubles from attempt to attempt up to its maximum', () => {
  const waits = [0, 1, 2, 3, 4, 5, 100].map((attempt) => reconnectDelayMs(attempt, limits, () => 0.5));
  assert.deepEqual(waits, [100, 200, 400, 800, 1000, 1000, 1000]);
});

test('jitter halves to doubles it, never beyond the maximum', () => {
  assert.equal(
    reconnectDelayMs(1, limits, () => 0),
    100,
  );
  assert.equal(Math.round(reconnectDelayMs(1, limits, () => 0.999_999)), 400);
  assert.equal(
    reconnectDelayMs(9, limits, () => 0.999_999),
    1000,
  );
});

test('a wait ends after its time', async () => {
  const startMs = performance.now();
  await delay(20, new AbortController().signal);
  assert.ok(performance.now() - startMs >= 18);
});

test('a wait that is longer than a timer can be does not end at once', async () => {
  const controller = new AbortController();
  const long = delay(2 ** 40, controller.signal).then(
    () => 'ended',
    () => 'cancelled',
  );
  // A timer that overflows is one of a millisecond, and comes before this one.
  await delay(20, new AbortController().signal);
  controller.abort();
  assert.equal(await long, 'cancelled');
});

test('a wait ends at once when its signal aborts, and leaves no timer', async () => {
  const baseline = resourceBaseline();
  const controller = new AbortController();
  const wait = delay(60_000, controller.signal);
  controller.abort();
  await assert.rejects(wait, { code: 'cancelled' });
  await assert.rejects(delay(60_000, controller.signal), { code: 'cancelled' });
  await resourcesSettled(baseline);
});

test('what is waited for is had before an abort, and not behind one', async () => {
  assert.equal(await beforeAbort(Promise.resolve(1), undefined), 1);
  const controller = new AbortController();
  assert.equal(await beforeAbort(Promise.resolve(2), controller.signal), 2);
  await assert.rejects(beforeAbort(Promise.reject(new Error('its own')), controller.signal), /its own/);
  const late = Promise.withResolvers<number>();
  const cut = beforeAbort(late.promise, controller.signal);
  controller.abort(new Error('why'));
  await assert.rejects(cut, { code: 'cancelled', cause: new Error('why') });
  await assert.rejects(beforeAbort(Promise.resolve(3), controller.signal), { code: 'cancelled' });
  // Nobody hears of it any more, and nobody has to.
  late.reject(new Error('late'));
});
