import assert from 'node:assert/strict';
import { test } from 'node:test';

import { judge } from './suite.ts';
import type { CaseResult } from './suite.ts';

const passed = (id: string): CaseResult => ({ id, state: 'passed' });
const failed = (id: string): CaseResult => ({ id, state: 'failed', why: 'it differs' });
const excluded = (id: string): CaseResult => ({ id, state: 'excluded', rule: 'no proxy' });
const expected = [{ reason: 'stricter', cases: ['a', 'b'] }];

test('expected deviations are counted, and are no fault', () => {
  const verdict = judge([failed('a'), failed('b'), passed('c'), excluded('d')], expected, true);
  assert.deepEqual(verdict, { passed: 1, deviations: 2, excluded: 1, faults: [] });
});

test('a failure that nobody expected is a fault', () => {
  assert.deepEqual(judge([failed('a'), failed('b'), failed('c')], expected, true).faults, ['c: it differs']);
});

test('an expected deviation that passes, is excluded or is gone is a fault', () => {
  assert.match(judge([passed('a'), failed('b')], expected, true).faults.join(), /^a: passes, .*: stricter$/);
  assert.match(
    judge([excluded('a'), failed('b')], expected, true).faults.join(),
    /^a: .* excluded \(no proxy\)$/,
  );
  assert.match(judge([failed('a')], expected, true).faults.join(), /^b: .* not there$/);
  assert.deepEqual(judge([failed('a')], expected, false).faults, []);
});

test('a case that has two results is a fault, and so is a suite that runs none', () => {
  assert.match(judge([passed('c'), passed('c')], [], true).faults.join(), /^c: .*twice/);
  assert.deepEqual(judge([], [], true).faults, ['no case was run']);
  assert.deepEqual(judge([excluded('c')], [], true).faults, ['no case was run']);
});
