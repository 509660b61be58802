import assert from 'node:assert/strict';
import { test } from 'node:test';

import { judge } from '../suite.ts';
import { pkitsDeviations } from './pkits-deviations.ts';
import { runPaths } from './pkits-suite.ts';

test('paths of certificates are taken and refused as NIST says', async () => {
  const verdict = judge(await runPaths(), pkitsDeviations, true);
  assert.deepEqual(verdict, { passed: 32, deviations: 6, excluded: 0, faults: [] });
});
