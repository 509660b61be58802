import assert from 'node:assert/strict';
import { test } from 'node:test';

import { workloadEnvironment } from '../../../src/cli/terminal/workload-environment.ts';

test('what the launcher kept for the workload is given back under its own name', () => {
  const environment = workloadEnvironment({
    PATH: '/bin',
    UPSTREAMPROXY_WORKLOAD_NODE_OPTIONS: '--max-old-space-size=100',
    UPSTREAMPROXY_WORKLOAD_no_proxy: '',
  });
  assert.deepEqual(environment, { PATH: '/bin', NODE_OPTIONS: '--max-old-space-size=100', no_proxy: '' });
});

test('settings of the program itself do not reach the workload', () => {
  const environment = workloadEnvironment({
    UPSTREAMPROXY_TOKEN_FILE: '/run/token',
    UPSTREAMPROXY_GATEWAY: 'https://gateway.test',
    UPSTREAMPROXY_GATEWAY_CA: '/ca.pem',
    UPSTREAMPROXY_RUNTIME: 'bun',
    UPSTREAMPROXY_TLS_ENDS_IN: 'gateway',
    UPSTREAMPROXY_DEBUG: '1',
    UPSTREAMPROXY_DOCS: 'https://docs.test/',
    HOME: '/home/user',
  });
  assert.deepEqual(environment, { HOME: '/home/user' });
});
