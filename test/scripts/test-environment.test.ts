import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testEnvironment } from '../../scripts/test-environment.ts';

test('nothing of the caller that changes what programs do reaches the tests', () => {
  const environment = testEnvironment({
    PATH: '/bin',
    HOME: '/root',
    npm_config_loglevel: 'silent',
    npm_package_json: '/somewhere/package.json',
    HTTPS_PROXY: 'http://127.0.0.1:1',
    no_proxy: '*',
    LC_ALL: 'de_DE.UTF-8',
    LANG: 'de_DE',
    FORCE_COLOR: '3',
    NODE_OPTIONS: '--inspect',
    GIT_DIR: '/elsewhere/.git',
  });
  assert.deepEqual(environment, { PATH: '/bin', HOME: '/root', LANG: 'C.UTF-8' });
});

test('where packages come from is kept', () => {
  const kept = { npm_config_registry: 'https://registry.example/', npm_config_cafile: '/ca.pem' };
  assert.deepEqual(testEnvironment(kept), { ...kept, LANG: 'C.UTF-8' });
});
