import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import {
  growthExponent,
  median,
  pairedRatio,
  quantile,
  windowCost,
} from '../../../bench/report/statistics.ts';

describe('median and quantile', () => {
  it('the middle one of odd lists, the mean of the two of even ones, of what is a number', () => {
    assert.equal(median([9, 1, 5]), 5);
    assert.equal(median([1, 2, 3, 10]), 2.5);
    assert.equal(median([1, Number.NaN, 3, 2]), 2);
    assert.ok(Number.isNaN(median([])));
  });

  it('a quantile is one of the values, the last at most', () => {
    const sorted = Array.from({ length: 100 }, (_, i) => i);
    assert.deepEqual(
      [0, 0.5, 0.99, 1].map((share) => quantile(sorted, share)),
      [0, 50, 99, 99],
    );
    assert.ok(Number.isNaN(quantile([], 0.5)));
  });
});

describe('paired ratios', () => {
  it('are taken inside a round: the ratio of medians would say something else', () => {
    assert.deepEqual(pairedRatio([1, 20, 30], [2, 10, 10]), { median: 2, least: 0.5, greatest: 3 });
  });

  it('leave out a round that lacks one side, and divide by nothing', () => {
    assert.deepEqual(pairedRatio([1, undefined, 3, 4], [1, 2, 0]), { median: 1, least: 1, greatest: 1 });
    assert.equal(pairedRatio([], [1]), undefined);
  });
});

describe('the cost in the quietest windows', () => {
  const windows = (costs: readonly number[]) => costs.map((cost) => ({ cost: cost * 10, count: 10 }));

  it('is the mean between the tenth and the quarter', () => {
    const costs = Array.from({ length: 20 }, (_, i) => i + 1);
    // Of twenty, the third to the fifth.
    assert.equal(windowCost(windows(costs)), 4);
    assert.equal(windowCost(windows(costs.toReversed())), 4);
  });

  it('does not move with what others did in most of the time', () => {
    const quiet = Array.from({ length: 10 }, () => 5);
    assert.equal(windowCost(windows([...quiet, 50, 90, 400, 7, 33, 80, 60, 70, 99, 100])), 5);
  });

  it('leaves out windows in which nothing was done, and says nothing of few', () => {
    assert.equal(windowCost([{ cost: 1, count: 0 }, ...windows([2, 2, 2, 2])]), 2);
    assert.ok(Number.isNaN(windowCost(windows([1, 2, 3]))));
  });
});

describe('how a cost grows', () => {
  const sizes = [100, 1000, 10_000];
  const exponentOf = (cost: (size: number) => number): number =>
    growthExponent(sizes.map((size) => ({ size, cost: cost(size) })));

  it('nothing, as the root, as the size, as the square', () => {
    for (const [expected, cost] of [
      [0, () => 7],
      [0.5, (size: number) => Math.sqrt(size)],
      [1, (size: number) => 3 * size],
      [2, (size: number) => size * size],
    ] as const)
      assert.ok(Math.abs(exponentOf(cost) - expected) < 1e-9, `${expected}`);
  });

  it('one size says nothing', () => {
    assert.ok(Number.isNaN(growthExponent([{ size: 5, cost: 5 }])));
    assert.ok(Number.isNaN(growthExponent([])));
  });
});
