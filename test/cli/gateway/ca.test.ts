import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { launcher } from '../../support/program.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

test('the authority is shown as PEM and as stores that keytool reads', async (context) => {
  await withTemporaryDirectory(async (folder) => {
    writeFileSync(join(folder, 'policy.yaml'), 'rules: []\n');
    writeFileSync(
      join(folder, 'gateway.yaml'),
      'listen: { address: 127.0.0.1, port: 0 }\npublicNames: [127.0.0.1]\nstateDirectory: state\npolicy: policy.yaml\n',
    );
    const show = (...options: readonly string[]) =>
      spawnSync(launcher, ['ca', 'show', '--config', join(folder, 'gateway.yaml'), ...options]);
    const pem = show();
    assert.match(pem.stdout.toString(), /^-----BEGIN CERTIFICATE-----\n/, pem.stderr.toString());
    assert.equal(show('--format', 'jks', '--summary').status, 64);
    assert.equal(show('--format', 'jks', '--json').status, 64);
    const [listed = '', ...others] = show('--json').stdout.toString().trimEnd().split('\n');
    assert.deepEqual(others, []);
    // Printed by our own command.
    const certificate = JSON.parse(listed) as Readonly<Record<string, string>>;
    assert.deepEqual(Object.keys(certificate), ['subject', 'validFrom', 'validTo', 'sha256', 'pin']);
    const summary = show('--summary').stdout.toString();
    for (const value of Object.values(certificate)) assert.ok(summary.includes(value), value);
    const hasKeytool = spawnSync('keytool', ['-help']).error === undefined;
    if (!hasKeytool) context.diagnostic('keytool is not installed: the stores are not read');
    for (const format of ['jks', 'pkcs12']) {
      const store = show('--format', format);
      assert.equal(store.status, 0, store.stderr.toString());
      assert.ok(store.stdout.length > 200);
      if (!hasKeytool) continue;
      const file = join(folder, format);
      writeFileSync(file, store.stdout);
      const args = ['-list', '-keystore', file, '-storetype', format, '-storepass', 'changeit'];
      const trusted = execFileSync('keytool', args, {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      assert.equal(trusted.match(/trustedCertEntry/g)?.length, 1);
    }
  });
});

test('key files are encrypted by command, and open with their passphrase alone', async () => {
  await withTemporaryDirectory(async (folder) => {
    const configured = (more: string): void =>
      writeFileSync(
        join(folder, 'gateway.yaml'),
        `publicNames: [127.0.0.1]\nstateDirectory: state\npolicy: observe\n${more}`,
      );
    const run = (...args: readonly string[]) =>
      spawnSync(launcher, [...args, '--config', join(folder, 'gateway.yaml')], { encoding: 'utf8' });
    configured('');
    const { stdout: before } = run('ca', 'show');
    configured('certificateAuthority: { passphrase: { file: passphrase }, names: [example.com] }\n');
    writeFileSync(join(folder, 'passphrase'), 'correct horse battery staple\n', { mode: 0o600 });
    assert.match(run('ca', 'encrypt').stdout, /^key files that were encrypted: 1$/m);
    assert.equal(run('ca', 'show').stdout, before);
    writeFileSync(join(folder, 'passphrase'), 'another horse battery staple\n');
    const { status, stderr } = run('ca', 'show');
    assert.equal(status, 78);
    assert.match(stderr, /ca\.key does not open with certificateAuthority\.passphrase/);
  });
});
