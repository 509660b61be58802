import assert from 'node:assert/strict';
import { test } from 'node:test';

import { workerCount } from '../../../src/cli/gateway/worker-count.ts';
import { embeddedConfig } from '../../../src/gateway/config/config.ts';
import type { ProxyError } from '../../../src/protocol/error.ts';

const store = 'sqlite:/nowhere/state.db';

test('what several workers cannot have is told for --workers as for the configuration', () => {
  const metrics = (address: string) => ({ store, metrics: { address, port: 9464 } });
  for (const [changes, reason] of [
    [{ store: 'sqlite::memory:' }, /^workers: each would have a store in memory/],
    [metrics('localhost'), /^metrics\.address: every worker has to know it/],
  ] as const) {
    const config = embeddedConfig('/nowhere', changes);
    assert.equal(workerCount(config), 1);
    assert.throws(
      () => workerCount(config, '2'),
      ({ code, message }: ProxyError) => code === 'config_invalid' && reason.test(message),
    );
  }
  for (const address of ['127.0.0.1', '::'])
    assert.equal(workerCount(embeddedConfig('/nowhere', metrics(address)), '2'), 2);
});

test('--workers is auto, or a number from 1 to the most that there may be', () => {
  const config = embeddedConfig('/nowhere', { store });
  for (const given of ['0', '65', '-1', '1.5', '', 'two', '02', '100'])
    assert.throws(
      () => workerCount(config, given),
      ({ code }: ProxyError) => code === 'usage',
      given,
    );
  assert.equal(workerCount(config, '64'), 64);
  assert.ok(workerCount(config, 'auto') >= 1);
});
