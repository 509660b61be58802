import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import {
  setAsideForWorkload,
  trustNobodyUnnamed,
  workloadEnvironment,
} from '../../../src/cli/terminal/workload-environment.ts';
import { runCommand } from '../../support/command.ts';
import { httpsOrigin } from '../../support/origin.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';

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

for (const file of ['/etc/ssl/own.pem', '/dev/null', undefined])
  test(`the workload has its own authorities, and not those that the program has none of: ${String(file)}`, () => {
    const users = { PATH: '/bin', ...(file === undefined ? {} : { SSL_CERT_FILE: file }) };
    const own: Record<string, string | undefined> = { ...users };
    // A program that it starts does the same to what it was given.
    for (let generation = 1; generation <= 2; generation++) {
      setAsideForWorkload(own);
      trustNobodyUnnamed(own);
      assert.ok(!existsSync(own['SSL_CERT_FILE'] ?? ''));
      assert.deepEqual(workloadEnvironment(own), users);
    }
  });

test('a runtime that trusts nobody unnamed connects where the authority is named, and nowhere else', async () => {
  const authority = createTestAuthority();
  await using origin = await httpsOrigin({ authority });
  const module = new URL('../../../src/cli/terminal/workload-environment.ts', import.meta.url).href;
  await using directory = await temporaryDirectory();
  const file = join(directory.path, 'authorities.pem');
  await writeFile(file, authority.caPem);
  const said = async (before: string, options: string): Promise<string> => {
    const script = `import { connect } from 'node:tls';
      import { setAsideForWorkload, trustNobodyUnnamed } from ${JSON.stringify(module)};
      ${before}
      const socket = connect({ port: ${origin.port}, servername: 'localhost', ${options} }, () => socket.end(console.log('trusted')));
      socket.once('error', ({ code }) => console.log(code));`;
    const args = ['--use-openssl-ca', '--input-type=module', '-e', script];
    const env = { ...process.env, NODE_OPTIONS: '', SSL_CERT_FILE: file };
    const { stdout, stderr, code } = await runCommand(process.execPath, args, { env });
    assert.equal(code, 0, stderr);
    return stdout.trim();
  };
  assert.equal(await said('', ''), 'trusted');
  const trustsNobody = 'setAsideForWorkload(process.env); trustNobodyUnnamed(process.env);';
  assert.notEqual(await said(trustsNobody, ''), 'trusted');
  assert.equal(await said(trustsNobody, `ca: ${JSON.stringify(authority.caPem)}`), 'trusted');
});
