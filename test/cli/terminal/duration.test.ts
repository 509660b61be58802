import assert from 'node:assert/strict';
import { test } from 'node:test';
import { durationOption } from '../../../src/cli/terminal/duration.ts';

test('durations are whole numbers with a unit', () => {
  for (const [text, ms] of [
    ['90s', 90_000],
    ['15m', 900_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
  ] as const)
    assert.equal(durationOption('for', text, 86_400_000), ms);
});

test('everything else is refused, and so is what is too long', () => {
  for (const text of ['', '15', '0m', '-1m', '1.5h', '1w', '15 m', '1h30m', '99999999s'])
    assert.throws(() => durationOption('for', text, 86_400_000), { code: 'usage', message: /such as 90s/ });
  assert.throws(() => durationOption('for', '25h', 86_400_000), { code: 'usage', message: /at most 86400s/ });
});
