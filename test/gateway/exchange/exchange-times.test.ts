import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ExchangeTimes } from '../../../src/gateway/exchange/exchange-times.ts';

function clockOf(...times: readonly number[]): () => number {
  const left = [...times];
  return () => left.shift() ?? assert.fail('the clock is asked once more');
}

test('each stage is over so long after the beginning', () => {
  const times = new ExchangeTimes(clockOf(100, 100.126, 120, 121, 130, 135.5, 140));
  times.decided();
  times.dialled({ address: 'a', dialTimes: { resolvedMs: 105, dialledMs: 110, securedMs: 119 } });
  times.sent();
  times.responded();
  times.completed();
  assert.deepEqual(times.event(), {
    decidedMs: 0.13,
    resolvedMs: 5,
    dialledMs: 10,
    securedMs: 19,
    sentMs: 21,
    firstByteMs: 30,
    lastByteMs: 35.5,
  });
  assert.equal(times.sinceBeginMs(), 40);
});

test('what opened a connection counts for the exchange that it was opened for', () => {
  const times = new ExchangeTimes(clockOf(100, 101));
  times.dialled({ address: 'a', isKept: true, dialTimes: { resolvedMs: 1, dialledMs: 2, securedMs: 3 } });
  assert.deepEqual(times.event(), { sentMs: 1 });
});

test('a connection that stood before the exchange began took it no time', () => {
  const times = new ExchangeTimes(clockOf(100, 101));
  times.dialled({ address: 'a', dialTimes: { dialledMs: 50, securedMs: 100.5 } });
  assert.deepEqual(times.event(), { dialledMs: 0, securedMs: 0.5, sentMs: 1 });
});

test('nothing that happened has no times', () => {
  assert.equal(new ExchangeTimes(clockOf(0)).event(), undefined);
});
