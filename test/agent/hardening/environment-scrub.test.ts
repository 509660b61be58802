import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspectEnvironment, scrubEnvironment } from '../../../src/agent/hardening/environment-scrub.ts';

describe('a variable that runs code in the agent or shows its memory is refused', () => {
  const refused: readonly (readonly [string, string])[] = [
    ['LD_PRELOAD', '/tmp/evil.so'],
    ['LD_AUDIT', '/tmp/evil.so'],
    ['BUN_BE_BUN', '1'],
    ['BUN_INSPECT', 'ws://127.0.0.1:1'],
    ['BUN_INSPECT_PRELOAD', '/tmp/evil.js'],
    ['BUN_OPTIONS', '--preload=/tmp/evil.js'],
    ['BUN_OPTIONS', '-r/tmp/evil.js'],
    ['NODE_OPTIONS', '--require /tmp/evil.js'],
    ['NODE_OPTIONS', '-r /tmp/evil.js'],
    ['NODE_OPTIONS', '--max-old-space-size=100 --import=/tmp/evil.mjs'],
    ['NODE_OPTIONS', '"--require=/tmp/with space.js"'],
    ['NODE_OPTIONS', '--experimental_loader=/tmp/evil.mjs'],
    ['NODE_OPTIONS', '--inspect=0.0.0.0:9229'],
    ['NODE_OPTIONS', '--inspect-brk'],
    ['NODE_OPTIONS', '--heapsnapshot-signal=SIGUSR2'],
    ['NODE_OPTIONS', '--report-on-signal'],
    ['NODE_OPTIONS', '--tls-keylog=/tmp/keys'],
    ['NODE_OPTIONS', '--openssl-config=/tmp/evil.cnf'],
    ['NODE_OPTIONS', '--op"enssl-config"=/tmp/evil.cnf'],
    ['NODE_OPTIONS', '--req"uire=/tmp/evil.js"'],
    ['NODE_OPTIONS', '"--imp\\ort=/tmp/evil.mjs"'],
    ['NODE_OPTIONS', '--snapshot-blob=/tmp/evil'],
    ['OPENSSL_CONF', '/tmp/evil.cnf'],
    ['NODE_COMPILE_CACHE', '/tmp/cache'],
    ['BUN_RUNTIME_TRANSPILER_CACHE_PATH', '/tmp/cache'],
  ];
  for (const [name, value] of refused) {
    test(`${name}=${value}`, () => {
      const findings = inspectEnvironment({ [name]: value });
      assert.equal(findings.refused.length, 1);
      assert.ok(findings.refused[0]?.startsWith(name));
    });
  }
});

describe('a variable of a normal container is not refused', () => {
  const accepted: readonly (readonly [string, string])[] = [
    ['NODE_OPTIONS', '--max-old-space-size=4096'],
    ['NODE_OPTIONS', '--no-warnings --enable-source-maps'],
    ['LD_LIBRARY_PATH', '/usr/local/cuda/lib64'],
    ['PATH', '/usr/bin'],
    ['LD_PRELOAD', ''],
    ['OPENSSL_CONF', '/dev/null'],
    ['NODE_OPTIONS', '--title="a --require=b"'],
    ['HTTPS_PROXY', 'http://127.0.0.1:3128'],
  ];
  for (const [name, value] of accepted) {
    test(`${name}=${value}`, () => assert.deepEqual(inspectEnvironment({ [name]: value }).refused, []));
  }
});

test('no value is part of the findings', () => {
  const findings = inspectEnvironment({
    NODE_OPTIONS: '--require=/secret/place.js',
    https_proxy: 'http://user:secret@x',
  });
  assert.doesNotMatch(JSON.stringify(findings), /secret/);
});

test('scrubbing removes what steers TLS and routing, in both cases, and nothing else', () => {
  const environment = {
    PATH: '/usr/bin',
    NODE_TLS_REJECT_UNAUTHORIZED: '0',
    NODE_EXTRA_CA_CERTS: '/tmp/evil.pem',
    SSL_CERT_FILE: '/tmp/evil.pem',
    https_proxy: 'http://evil.test',
    HTTPS_PROXY: 'http://evil.test',
    all_proxy: 'http://evil.test',
    LD_LIBRARY_PATH: '/opt/lib',
  };
  const removed = scrubEnvironment(environment);
  assert.deepEqual(Object.keys(environment), ['PATH', 'LD_LIBRARY_PATH']);
  assert.equal(removed.length, 6);
});
