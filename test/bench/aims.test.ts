import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { aims, judge } from '../../bench/aims.ts';
import type { Aim } from '../../bench/aims.ts';

const base = { name: 'x', unit: '×', measure: { kind: 'ratio', metric: 'x' } } as const;
const more: Aim = { ...base, direction: 'at least', must: 0.9, aim: 1.1 };
const less: Aim = { ...base, direction: 'at most', must: 2, aim: 1.5 };

describe('aims of the comparison', () => {
  it('at least: the bound itself holds, less does not', () => {
    assert.deepEqual(
      [1.1, 1.099, 0.9, 0.899].map((value) => judge(more, value)),
      ['aim met', 'must met', 'must met', 'missed'],
    );
  });

  it('at most: the bound itself holds, more does not', () => {
    assert.deepEqual(
      [1.5, 1.501, 2, 2.001].map((value) => judge(less, value)),
      ['aim met', 'must met', 'must met', 'missed'],
    );
  });

  it('what was not measured is neither met nor missed', () => {
    assert.equal(judge(more, undefined), 'not measured');
    assert.equal(judge(less, Number.NaN), 'not measured');
  });

  it('no aim is easier than its must', () => {
    for (const aim of aims)
      assert.equal(aim.direction === 'at least' ? aim.aim >= aim.must : aim.aim <= aim.must, true, aim.name);
  });
});
