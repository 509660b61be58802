import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { Placements } from '../../../src/agent/placements/placements.ts';
import { certificatesIn } from '../../../src/agent/trust/certificate-list.ts';
import { placeSystemTrust } from '../../../src/agent/trust/system-store.ts';
import { javaKeyStore } from '../../../src/pki/java-key-store.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { MemoryLogger } from '../support/enrolled.ts';

const roots = createTestAuthority().caPem;
const own = createTestAuthority().caPem;

/** A system with a bundle under two names, a Java store and a Firefox. */
async function withSystem(use: (root: string, state: string, ownCa: string) => Promise<void>): Promise<void> {
  await withTemporaryDirectory(async (folder) => {
    const root = join(folder, 'root');
    const files: Record<string, string | Uint8Array> = {
      '/etc/ssl/certs/ca-certificates.crt': roots,
      '/etc/ssl/certs/java/cacerts': javaKeyStore(certificatesIn(roots), 'changeit', 1),
      '/usr/lib/firefox/firefox': '',
    };
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content);
    }
    symlinkSync('certs/ca-certificates.crt', join(root, '/etc/ssl/cert.pem'));
    const ownCa = join(folder, 'ca.pem');
    writeFileSync(ownCa, own);
    await use(root, join(folder, 'state'), ownCa);
  });
}

function snapshot(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return `${path}=${entry.isFile() ? readFileSync(path, 'base64') : ''}`;
    })
    .sort();
}

test('ours is in every store of the system, and afterwards the system is as it was', async () => {
  await withSystem(async (root, state, ownCa) => {
    const before = snapshot(root);
    const logger = new MemoryLogger();
    {
      await using placements = await Placements.open(state);
      await placeSystemTrust({ root, ownCa, logger }, placements);
      assert.deepEqual(logger.lines, []);
      assert.equal(
        readFileSync(join(root, '/etc/ssl/certs/ca-certificates.crt'), 'utf8'),
        `${roots}\n# Written by upstreamproxy for one session; removed when it ends.\n${own}`,
      );
      assert.equal(readFileSync(join(root, '/etc/ssl/certs/java/cacerts')).readUInt32BE(8), 2);
      const policies = readFileSync(join(root, '/etc/firefox/policies/policies.json'), 'utf8');
      assert.deepEqual(JSON.parse(policies), {
        policies: { Certificates: { Install: [join(dirname(ownCa), 'certificates/1.pem')] } },
      });
      const [certificate] = certificatesIn(own);
      for (const folder of ['/etc/chromium', '/etc/opt/chrome'])
        assert.deepEqual(
          JSON.parse(readFileSync(join(root, folder, 'policies/managed/upstreamproxy.json'), 'utf8')),
          { CACertificates: [Buffer.from(certificate ?? []).toString('base64')] },
        );
      const hashed = readdirSync(join(root, '/etc/ssl/certs')).filter((name) =>
        /^[0-9a-f]{8}\.0$/.test(name),
      );
      assert.equal(hashed.length, 1);
    }
    assert.deepEqual(snapshot(root), before);
  });
});

test('Java and OpenSSL read the changed stores', async (context) => {
  if (spawnSync('keytool', ['-help']).error !== undefined) return context.skip('keytool is not installed');
  await withSystem(async (root, state, ownCa) => {
    await using placements = await Placements.open(state);
    await placeSystemTrust({ root, ownCa, logger: new MemoryLogger() }, placements);
    const args = ['-list', '-keystore', join(root, '/etc/ssl/certs/java/cacerts'), '-storepass', 'changeit'];
    const listed = execFileSync('keytool', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    assert.equal(listed.match(/trustedCertEntry/g)?.length, 2);
    const verify = ['verify', '-no-CAfile', '-CApath', join(root, '/etc/ssl/certs'), ownCa];
    assert.match(execFileSync('openssl', verify, { encoding: 'utf8' }), /: OK/);
  });
});

test('policies that are there stay, and are told', async () => {
  await withSystem(async (root, state, ownCa) => {
    const path = join(root, '/etc/firefox/policies/policies.json');
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '{}');
    const logger = new MemoryLogger();
    {
      await using placements = await Placements.open(state);
      await placeSystemTrust({ root, ownCa, logger }, placements);
    }
    assert.match(logger.lines.join('\n'), /policies\.json is not changed/);
    assert.equal(readFileSync(path, 'utf8'), '{}');
    assert.ok(existsSync(path));
  });
});
