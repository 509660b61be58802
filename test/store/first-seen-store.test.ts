import assert from 'node:assert/strict';
import { test } from 'node:test';

import { givenByLargest } from '../../src/store/first-seen-store.ts';

test('those with the most give until they have the same, and never more than was wanted', () => {
  assert.deepEqual(givenByLargest([10, 4, 4], 5), [5, 0, 0]);
  assert.deepEqual(givenByLargest([10, 4, 4], 7), [7, 0, 0]);
  assert.deepEqual(givenByLargest([10, 4, 4], 9), [7, 1, 1]);
  assert.deepEqual(givenByLargest([3, 3], 1), [1, 0]);
  assert.deepEqual(givenByLargest([3], 9), [3]);
  assert.deepEqual(givenByLargest([], 9), []);
  for (let seed = 1; seed < 2000; seed += 1) {
    const counts = Array.from({ length: 1 + (seed % 7) }, (_, i) => 1 + ((seed * (i + 3) * 7919) % 50));
    counts.sort((a, b) => b - a);
    const all = counts.reduce((sum, one) => sum + one, 0);
    const wanted = (seed * 104_729) % (all + 10);
    const given = givenByLargest(counts, wanted);
    const sum = given.reduce((total, one) => total + one, 0);
    assert.equal(sum, Math.min(wanted, all), `${String(counts)} ${wanted}`);
    const left = counts.map((count, i) => count - (given[i] ?? 0));
    const highest = Math.max(...left);
    // Who gave has at most one less than who has the most.
    for (const [i, one] of left.entries())
      if ((given[i] ?? 0) > 0) assert.ok(one >= highest - 1, String(left));
  }
});
