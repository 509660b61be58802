import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dated, madeMs } from '../../../src/gateway/cache/response-age.ts';
import { HeaderList } from '../../../src/http/header-list.ts';

const nowMs = Date.parse('2030-01-01T00:01:00Z');
const date = 'Tue, 01 Jan 2030 00:00:00 GMT';

test('a response is as old as it says, or as its date, whichever is more, and never of the future', () => {
  for (const [fields, ageS] of [
    [[], 0],
    [[['age', '7']], 7],
    [[['date', date]], 60],
    [
      [
        ['date', date],
        ['age', '90'],
      ],
      90,
    ],
    [
      [
        ['date', date],
        ['age', '5'],
      ],
      60,
    ],
    [[['date', 'Tue, 01 Jan 2030 00:02:00 GMT']], 0],
    [[['date', 'yesterday']], 0],
    [[['date', '2029-12-01']], 0],
    [[['age', '-7']], 0],
    [[['age', '99999999999']], 0],
    [
      [
        ['age', '7'],
        ['age', '8'],
      ],
      0,
    ],
  ] as const)
    assert.equal(nowMs - madeMs(new HeaderList([...fields]), nowMs), ageS * 1000, JSON.stringify(fields));
});

test('what is kept has the date of its origin, or of when it came', () => {
  const own = [['etag', '"a"'] as const, ['date', date] as const];
  assert.equal(dated(own, nowMs), own);
  const given = ['date', 'Tue, 01 Jan 2030 00:01:00 GMT'];
  assert.deepEqual(dated([['etag', '"a"']], nowMs), [['etag', '"a"'], given]);
  assert.deepEqual(dated([['date', 'now']], nowMs), [given]);
});
