import assert from 'node:assert/strict';
import { test } from 'node:test';

import { playResponses } from './random-responses.ts';

test('whatever an origin responds, each exchange has one event and the gateway goes on', async () => {
  const { responses, allowed, failures } = await playResponses({ seed: 20_260_101, runs: 80 });
  assert.deepEqual(failures, []);
  assert.ok(allowed >= 5 && allowed < responses, `${allowed} of ${responses} were passed on`);
});
