// The operator's certificate of the port in the store, with the keys and authorities: every process serves it, and each that follows.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { stringify } from 'yaml';

import { runCommand } from '../support/command.ts';
import { mustRunShared, runShared } from '../support/command-process.ts';
import { launcher, startGatewayProcess, waitUntil } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';

async function shownBy(url: string): Promise<string> {
  const { hostname: host, port } = new URL(url);
  const socket = connect({ host, port: Number(port), rejectUnauthorized: false });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

for (const workers of [1, 2])
  test(`a certificate in the store is served, and followed, by ${workers} workers`, async () => {
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(await temporaryDirectory());
    const configFile = join(path, 'gateway.yaml');
    const [certificate, key] = [join(path, 'chain.pem'), join(path, 'chain.key')];
    await writeFile(join(path, 'identity-key'), randomBytes(32).toString('hex'), { mode: 0o600 });
    await writeFile(join(path, 'policy.yaml'), stringify({ rules: [] }));
    const config = {
      listen: { address: '127.0.0.1', port: 0 },
      stateDirectory: 'state',
      policy: 'policy.yaml',
      tls: 'store',
      identity: { store: true, keyEncryptionKey: { file: 'identity-key' } },
      workers,
    };
    await writeFile(configFile, stringify(config));
    const put = async (): Promise<string> => {
      const issued = createTestAuthority().issue('gateway.test');
      await writeFile(certificate, issued.cert);
      await writeFile(key, issued.key, { mode: 0o600 });
      return await mustRunShared(['identity', 'certificate', certificate, key, '--config', configFile]);
    };
    await mustRunShared(['identity', 'make', '--config', configFile]);
    const { code, stderr } = await runCommand(launcher, ['gateway', '--config', configFile]);
    assert.equal(code, 78, stderr);
    assert.match(
      stderr,
      /^upstreamproxy: tls: store, and the store has no certificate.*\[identity_unusable\]$/m,
    );
    assert.equal(await put(), 'version 2 has the certificate of the port\n');
    const gateway = stack.use(await startGatewayProcess(configFile));
    const first = await shownBy(gateway.url);
    assert.equal(await put(), 'version 3 has the certificate of the port\n');
    await waitUntil('the other one is served', async () => (await shownBy(gateway.url)) !== first);
    // A pair that is none changes nothing.
    await writeFile(key, createTestAuthority().issue('gateway.test').key);
    const wrong = ['identity', 'certificate', certificate, key, '--config', configFile];
    assert.match((await runCommand(launcher, wrong)).stderr, /are no certificate and its key/);
    const foreign = await runShared(['ca', 'show', '--server', '--config', configFile]);
    assert.match(foreign.stderr, /the certificate of the gateway's port is your own; pin its authority/);
  });
