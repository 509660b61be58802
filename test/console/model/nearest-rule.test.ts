import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearestRule } from '../../../src/console/model/nearest-rule.ts';

const step = (rule: string, condition: string | undefined, effect: 'allow' | 'deny' = 'allow') => ({
  rule,
  effect,
  outcome: 'no match',
  because: '',
  looksAt: ['method', 'path', 'for'],
  ...(condition === undefined ? {} : { stopsAt: { condition, wanted: '' } }),
});

test('the nearest rule is the one that allows and holds longest, the first of those that hold as long', () => {
  const steps = [
    step('far', 'method'),
    step('near', 'path'),
    step('late', 'path'),
    step('denies', 'for', 'deny'),
  ];
  assert.equal(nearestRule(steps)?.rule, 'near');
  assert.equal(nearestRule([step('matches', undefined), step('denies', 'for', 'deny')]), undefined);
});
