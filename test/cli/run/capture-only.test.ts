import assert from 'node:assert/strict';
import { test } from 'node:test';

import { workloadEnvironment } from '../../../src/agent/environment.ts';
import { withoutProxyVariables } from '../../../src/cli/run/capture-only.ts';

test('nothing names the relay any more, and what names certificates stays', () => {
  const files = { bundle: '/ca.pem', javaKeyStore: '/ca.jks', wgetrc: '/wgetrc', aptConfig: '/apt.conf' };
  const base = { JAVA_TOOL_OPTIONS: '-Xmx1g' };
  const environment = {
    PATH: '/bin',
    ...workloadEnvironment({ port: 41_234, files, base, placeholders: { API_TOKEN: 'placeholder' } }),
  };
  const kept = withoutProxyVariables(environment, 41_234);
  for (const [name, value] of Object.entries(kept)) {
    assert.ok(!value.includes('41234'), `${name}=${value}`);
    assert.doesNotMatch(name, /proxy/i);
  }
  assert.deepEqual(
    [kept['PATH'], kept['API_TOKEN'], kept['SSL_CERT_FILE'], kept['WGETRC']],
    ['/bin', 'placeholder', '/ca.pem', '/wgetrc'],
  );
  assert.match(kept['JAVA_TOOL_OPTIONS'] ?? '', /^-Xmx1g -Djavax\.net\.ssl\.trustStore=\/ca\.jks /);
});
