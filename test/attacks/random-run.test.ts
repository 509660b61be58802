import assert from 'node:assert/strict';
import { test } from 'node:test';

import { playRandom } from './random-run.ts';

test('generated requests are read by two different origins as the audit says', async () => {
  const { requests, allowed, denied, failures } = await playRandom({ seed: 20_260_101, runs: 400 });
  assert.deepEqual(failures, []);
  assert.ok(
    requests >= 200 && allowed >= 20 && denied >= 50,
    `${requests}: ${allowed} allowed, ${denied} denied`,
  );
});
