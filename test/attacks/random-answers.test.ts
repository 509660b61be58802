import assert from 'node:assert/strict';
import { test } from 'node:test';

import { playAnswers } from './random-answers.ts';

test('whatever an origin answers, each exchange has one event and the gateway goes on', async () => {
  const { answers, allowed, failures } = await playAnswers({ seed: 20_260_101, runs: 80 });
  assert.deepEqual(failures, []);
  assert.ok(allowed >= 5 && allowed < answers, `${allowed} of ${answers} were passed on`);
});
