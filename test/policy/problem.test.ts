import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem, type PolicyProblem, sortProblems } from '../../src/policy/problem.ts';

test('problems are sorted errors first, then by file and place, and printed on one line', () => {
  const problem = (file: string, line: number, severity: 'error' | 'warning'): PolicyProblem => ({
    file,
    line,
    column: 1,
    message: 'x',
    severity,
  });
  const sorted = sortProblems([
    problem('b', 2, 'warning'),
    problem('a', 9, 'error'),
    problem('b', 1, 'error'),
    problem('a', 3, 'error'),
  ]);
  assert.deepEqual(sorted.map(formatProblem), [
    'b:1:1: error: x',
    'a:3:1: error: x',
    'a:9:1: error: x',
    'b:2:1: warning: x',
  ]);
});
