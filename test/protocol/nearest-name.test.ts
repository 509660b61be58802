import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { nearestName, slipsBetween, suggestion } from '../../src/protocol/nearest-name.ts';

const names = ['run', 'agent', 'gateway', 'token', 'env', 'doctor', 'policy', 'session', 'gateway-ca'];

test('one slip of the finger, two letters in the wrong order and a beginning are understood', () => {
  for (const [typed, meant] of [
    ['rnu', 'run'],
    ['gatway', 'gateway'],
    ['gatewya', 'gateway'],
    ['sesion', 'session'],
    ['polcy', 'policy'],
    ['tokens', 'token'],
    ['doc', 'doctor'],
    ['gateway-c', 'gateway-ca'],
  ] as const)
    assert.equal(nearestName(typed, names), meant, typed);
});

test('what is near to nothing gets no suggestion', () => {
  for (const typed of ['', 'x', 'xyz', 'nonsense', 'git', 'g'.repeat(1_000_000), 'constructor'])
    assert.equal(nearestName(typed, names), undefined, typed.slice(0, 20));
  assert.equal(suggestion('nonsense', names), '');
  assert.equal(suggestion('polcy', names, '--'), '; did you mean --policy?');
});

/** By the definition: the least over all first steps. */
function slipsByDefinition(one: string, other: string): number {
  if (one === '' || other === '') return one.length + other.length;
  const [a, b, c, d] = [one.at(-1), other.at(-1), one.at(-2), other.at(-2)];
  return Math.min(
    slipsByDefinition(one.slice(0, -1), other.slice(0, -1)) + (a === b ? 0 : 1),
    slipsByDefinition(one.slice(0, -1), other) + 1,
    slipsByDefinition(one, other.slice(0, -1)) + 1,
    a === d && b === c && c !== undefined && d !== undefined
      ? slipsByDefinition(one.slice(0, -2), other.slice(0, -2)) + 1
      : Number.POSITIVE_INFINITY,
  );
}

test('slips are counted as their definition says', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 6 });
  fc.assert(
    fc.property(word, word, (one, other) => {
      assert.equal(slipsBetween(one, other), slipsByDefinition(one, other));
    }),
    { seed: 11, numRuns: 300 },
  );
});
