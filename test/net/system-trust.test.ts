import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { rootCertificates } from 'node:tls';

import { loadSystemTrust } from '../../src/net/system-trust.ts';
import { createTestAuthority } from '../support/test-authority.ts';

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'trust-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

test('the first bundle that holds a certificate is taken', async (t) => {
  const at = await folder(t);
  const [one, two] = [createTestAuthority().caPem, createTestAuthority().caPem];
  writeFileSync(join(at, 'empty'), '# no certificate\n');
  writeFileSync(join(at, 'one'), `# a comment\n${one}`);
  writeFileSync(join(at, 'two'), two);
  const paths = ['missing', 'empty', 'one', 'two'].map((name) => join(at, name));
  assert.deepEqual(loadSystemTrust({ bundlePaths: paths }), [one]);
});

test('without a system bundle the list of the runtime stands in', () => {
  assert.equal(loadSystemTrust({ bundlePaths: ['/nonexistent'] }).length, new Set(rootCertificates).size);
});

test('additional authorities are added once, whatever their line ends', async (t) => {
  const at = await folder(t);
  const [one, two] = [createTestAuthority().caPem, createTestAuthority().caPem];
  writeFileSync(join(at, 'bundle'), one + one);
  const extra = [one.replaceAll('\n', '\r\n') + two, two];
  assert.deepEqual(loadSystemTrust({ bundlePaths: [join(at, 'bundle')], extra }), [one, two]);
});

test('an additional text without a readable certificate is told at once', () => {
  const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  for (const text of ['', '<html>', broken]) {
    assert.throws(() => loadSystemTrust({ extra: [text], bundlePaths: [] }), { code: 'config_invalid' });
  }
});

test('no variable of the environment changes what is trusted', (t) => {
  const before = process.env.SSL_CERT_FILE;
  t.after(() => {
    if (before === undefined) delete process.env.SSL_CERT_FILE;
    else process.env.SSL_CERT_FILE = before;
  });
  const trusted = loadSystemTrust();
  process.env.SSL_CERT_FILE = '/dev/null';
  assert.deepEqual(loadSystemTrust(), trusted);
});
