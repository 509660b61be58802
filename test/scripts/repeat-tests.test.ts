// What `npm test` makes of a file that failed beside others.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { repeatable, repeatsMax, sumOutcomes, type NamedOutcome } from '../../scripts/repeat-tests.ts';

function outcome(name: string, failed: number, passed = 2): NamedOutcome {
  const failures = Array.from({ length: failed }, (_, i) => `${name}: ${i}`);
  return { name, counts: { passed, failed, skipped: 1 }, failures };
}

test('a few that failed among others are run again, and only those', () => {
  assert.deepEqual(repeatable([outcome('a', 1), outcome('b', 0), outcome('c', 2)]), ['a', 'c']);
  assert.deepEqual(repeatable([outcome('a', 0), outcome('b', 0)]), []);
});

test('where more failed than a busy machine explains, or nothing ran beside it, nothing is run again', () => {
  const many = Array.from({ length: repeatsMax + 1 }, (_, i) => outcome(`file-${i}`, 1));
  assert.deepEqual(repeatable(many), []);
  assert.deepEqual(repeatable([outcome('a', 1)]), []);
});

test('what passes alone counts as passed, and what failed before is told', () => {
  const sum = sumOutcomes([outcome('a', 1, 1), outcome('b', 0)], [outcome('a', 0)]);
  assert.deepEqual(sum, {
    counts: { passed: 4, failed: 0, skipped: 2 },
    failures: [],
    unsteady: ['a: 0'],
  });
});

test('what fails again fails, with both texts', () => {
  const sum = sumOutcomes([outcome('a', 1, 1), outcome('b', 0)], [outcome('a', 2, 0)]);
  assert.equal(sum.counts.failed, 2);
  assert.deepEqual(sum.failures, ['a: 0', 'a: 1', 'a: 0']);
  assert.deepEqual(sum.unsteady, []);
});

test('without a second run everything that failed fails', () => {
  const sum = sumOutcomes([outcome('a', 1), outcome('b', 3)], []);
  assert.equal(sum.counts.failed, 4);
  assert.equal(sum.failures.length, 4);
});
