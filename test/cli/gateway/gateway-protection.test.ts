import assert from 'node:assert/strict';
import { test } from 'node:test';

import { forgetSecrets } from '../../../src/cli/gateway/gateway-protection.ts';

test('variables that hold secrets are deleted, however deep they are named, and no others', () => {
  const environment = { A: '1', B: '2', UPSTREAMPROXY_WORKLOAD_B: '2', C: '3', PATH: '/bin' };
  forgetSecrets(environment, [
    { one: { source: { env: 'A' } } },
    { source: { env: 'B' }, file: 'C' },
    undefined,
  ]);
  assert.deepEqual(environment, { C: '3', PATH: '/bin' });
});
