import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { growsFasterThanWork, growthTable, seriesText } from '../../bench/growth.ts';
import type { Curve } from '../../bench/growth.ts';

function curve(work: 0 | 1, costs: readonly number[]): Curve {
  return { name: 'cost', unit: 'µs', work, points: costs.map((cost, i) => ({ size: 10 ** i, cost })) };
}

describe('growth beside its work', () => {
  it('one that should not grow may waver, and not grow', () => {
    assert.equal(growsFasterThanWork(curve(0, [10, 12, 11])), false);
    assert.equal(growsFasterThanWork(curve(0, [10, 20, 40])), true);
  });

  it('one that goes over all there is may grow as that does', () => {
    assert.equal(growsFasterThanWork(curve(1, [1, 10, 100])), false);
    assert.equal(growsFasterThanWork(curve(1, [1, 30, 900])), true);
  });

  it('between two sizes that are close a waver is none of growth', () => {
    const doubled = (cost: number): Curve => ({
      ...curve(0, []),
      points: [
        { size: 1, cost: 100 },
        { size: 2, cost },
      ],
    });
    assert.equal(growsFasterThanWork(doubled(130)), false);
    assert.equal(growsFasterThanWork(doubled(150)), true);
  });

  it('its row has the costs, the exponent, and what it may be', () => {
    const text = growthTable({ title: 'x', sizeName: 'rules', curves: [curve(0, [10, 20, 40])], notes: [] });
    assert.match(text, /^\| rules \| 1 \| 10 \| 100 \| exponent \| of its work \| verdict \|$/m);
    assert.match(
      text,
      /^\| cost, µs \| 10\.0 \| 20\.0 \| 40\.0 \| 0\.30 \| 0 \| \*\*faster than its work\*\* \|$/m,
    );
  });

  it('a curve that lacks a size has a dash there, and of one size nothing is said', () => {
    const curves = [curve(0, [1, 1, 1]), { ...curve(0, []), name: 'other', points: [{ size: 10, cost: 2 }] }];
    const text = seriesText({ title: 'x', sizeName: 'rules', curves, notes: ['A note.'] });
    assert.match(text, /^\| other, µs \| – \| 2\.00 \| – \| – \| 0 \| not measured \|$/m);
    assert.match(text, /\n\nA note\.$/);
  });
});
