import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { format, table } from '../../../bench/report/table.ts';

describe('tables of the benches', () => {
  it('numbers have three digits that count, and what is none is a dash', () => {
    assert.deepEqual([1234.5, 123.4, 12.34, 1.234, 0, -12.34, Number.NaN, Infinity].map(format), [
      '1235',
      '123',
      '12.3',
      '1.23',
      '0.00',
      '-12.3',
      '–',
      '–',
    ]);
  });

  it('a bar in a cell does not make another cell', () => {
    assert.equal(table(['a', 'b'], [['1|2', '3']]), '| a | b |\n|---|---|\n| 1¦2 | 3 |');
  });
});
