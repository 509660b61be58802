import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requireRuntime, runtimeProblem } from '../../src/system/runtime-support.ts';

test('Node from 26 on and Bun are taken, everything else is refused with what it is', () => {
  requireRuntime();
  for (const versions of [{ node: '26.0.0' }, { node: '27.1.0-nightly' }, { node: '24.3.0', bun: '1.4.5' }])
    assert.equal(runtimeProblem(versions), undefined, JSON.stringify(versions));
  for (const [node, shown] of [
    ['20.20.2', '20\\.20\\.2'],
    ['25.9.0', '25\\.9\\.0'],
    [undefined, 'of an unknown version'],
  ]) {
    const problem = runtimeProblem({ node });
    assert.equal(problem?.code, 'runtime_unsupported');
    assert.match(
      problem.message,
      new RegExp(`Node 26 or newer, or Bun, is needed, and this is Node ${shown}\\.`),
    );
  }
});
