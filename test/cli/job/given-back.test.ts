import assert from 'node:assert/strict';
import { test } from 'node:test';

import { givenBack } from '../../../src/cli/job/given-back.ts';

test('each variable gets what it was before, or what takes its effect away', () => {
  const session = {
    HTTPS_PROXY: 'http://127.0.0.1:1',
    SSL_CERT_FILE: '/job/bundle.pem',
    NODE_EXTRA_CA_CERTS: '/job/own.pem',
    UV_NATIVE_TLS: '1',
    PHP_INI_SCAN_DIR: ':/job/php',
    no_proxy: 'localhost',
  };
  const base = { no_proxy: 'intranet.test', SSL_CERT_FILE: '/own.pem' };
  assert.deepEqual(givenBack(session, base, '/job/bundle.pem', '/system.pem'), {
    HTTPS_PROXY: '',
    SSL_CERT_FILE: '/own.pem',
    NODE_EXTRA_CA_CERTS: '',
    UV_NATIVE_TLS: '0',
    no_proxy: 'intranet.test',
  });
  assert.equal(givenBack({ SSL_CERT_FILE: '/b' }, {}, '/b', '/system.pem')['SSL_CERT_FILE'], '/system.pem');
});
