import assert from 'node:assert/strict';
import { test } from 'node:test';

import { forgetSecrets, openEnvironmentWarning } from '../../../src/cli/gateway/gateway-protection.ts';

test('variables that hold secrets are deleted, however deep they are named, and no others', () => {
  const environment = { A: '1', B: '2', UPSTREAMPROXY_WORKLOAD_B: '2', C: '3', PATH: '/bin' };
  forgetSecrets(environment, [
    { one: { source: { env: 'A' } } },
    { source: { env: 'B' }, file: 'C' },
    undefined,
  ]);
  assert.deepEqual(environment, { C: '3', PATH: '/bin' });
});

test('an operator is told of the variables that could be read, and not of those that hold placeholders', () => {
  const credentials = {
    one: { source: { env: 'API_TOKEN' }, placeholder: { env: 'GH_TOKEN' } },
    two: { source: { file: '/x' } },
  };
  const text = openEnvironmentWarning([credentials, { password: { env: 'PROXY_PASSWORD' } }]) ?? '';
  assert.match(text, /^API_TOKEN, PROXY_PASSWORD: .*source: \{ file/);
  assert.equal(openEnvironmentWarning([{ two: credentials.two }, undefined]), undefined);
  const environment = { GH_TOKEN: 'the operator’s own', API_TOKEN: 'secret' };
  forgetSecrets(environment, [credentials]);
  assert.deepEqual(environment, {});
});
