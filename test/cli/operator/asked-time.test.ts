import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askedTime } from '../../../src/cli/operator/asked-time.ts';

const nowMs = Date.parse('2030-01-08T12:00:00Z');

test('a day, a time and how long ago are read; anything else is refused', () => {
  for (const [text, time] of [
    ['2030-01-05', '2030-01-05T00:00:00Z'],
    ['2030-01-05T09:30Z', '2030-01-05T09:30:00Z'],
    ['2030-01-05T09:30:01.5+02:00', '2030-01-05T07:30:01.500Z'],
    ['90m', '2030-01-08T10:30:00Z'],
    ['12h', '2030-01-08T00:00:00Z'],
    ['7d', '2030-01-01T12:00:00Z'],
  ] as const)
    assert.equal(askedTime('since', text, nowMs), Date.parse(time), text);
  // A time without a zone would be another one on each machine.
  for (const text of [
    '',
    '7',
    '0d',
    '-1d',
    '2030-13-01',
    '2030-01-05T09:30',
    '2030',
    'yesterday',
    '7d ',
    '1e9d',
  ])
    assert.throws(() => askedTime('since', text, nowMs), { code: 'usage' }, text);
});
