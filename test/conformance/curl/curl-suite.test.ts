// A part of curl's cases, through a real agent and gateway. `npm run test:conformance curl` runs all.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { skipWithout } from '../../support/tools.ts';
import { judge } from '../suite.ts';
import { curlDeviations } from './curl-deviations.ts';
import { runCurlCases } from './curl-suite.ts';

const folder = fileURLToPath(new URL('cases/tests/data', import.meta.url));

test(
  'curl gets through agent and gateway what it gets without them',
  { skip: skipWithout('curl') },
  async () => {
    const verdict = judge(await runCurlCases(folder), curlDeviations, false);
    assert.deepEqual(verdict.faults, []);
    // Counted here, so that a reader that finds no case fails.
    assert.deepEqual([verdict.passed, verdict.deviations, verdict.excluded], [17, 2, 2]);
  },
);
