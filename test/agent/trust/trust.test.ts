import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  writeCaBundle,
  mergeBundle,
  readGatewayCa,
  readSystemBundle,
} from '../../../src/agent/trust/trust.ts';
import { splitPemCertificates } from '../../../src/pki/pem.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { FakeGateway } from '../support/fake-gateway.ts';

const systemPem = createTestAuthority().caPem;

interface Setting {
  readonly fake: FakeGateway;
  readonly folder: string;
  readonly system: string;
  readonly out: string;
  download(etag?: string): ReturnType<typeof writeCaBundle>;
}

function withGateway(use: (setting: Setting) => Promise<void>): Promise<void> {
  return withTemporaryDirectory(async (folder) => {
    await using fake = await FakeGateway.start();
    const system = join(folder, 'system.pem');
    const out = join(folder, 'bundle.pem');
    writeFileSync(system, `# roots\n${systemPem}`);
    const download: Setting['download'] = (etag) =>
      writeCaBundle(fake.url, system, out, {
        gatewayCa: fake.authority.caPem,
        ...(etag === undefined ? {} : { etag }),
      });
    await use({ fake, folder, system, out, download });
  });
}

describe('writeCaBundle', () => {
  test('appends the certificates of the gateway to the system bundle', () =>
    withGateway(async ({ fake, out, download }) => {
      const bundle = await download();
      assert.deepEqual(bundle, {
        path: out,
        certificates: 1,
        systemBundle: true,
        changed: true,
        etag: '"1"',
      });
      const certificates = splitPemCertificates(readFileSync(out, 'utf8'));
      assert.deepEqual(certificates, [systemPem, fake.caPem]);
      assert.equal(statSync(out).mode & 0o777, 0o644);
    }));

  test('takes several certificates, as during a rotation', () =>
    withGateway(async ({ fake, out, download }) => {
      fake.caPem = `${fake.caPem}${createTestAuthority().caPem}`;
      assert.equal((await download()).certificates, 2);
      assert.equal(splitPemCertificates(readFileSync(out, 'utf8')).length, 3);
    }));

  test('survives a missing system bundle and says so', () =>
    withGateway(async ({ fake, folder, out }) => {
      const missing = join(folder, 'nothing-here.pem');
      const bundle = await writeCaBundle(fake.url, missing, out, { gatewayCa: fake.authority.caPem });
      assert.equal(bundle.systemBundle, false);
      assert.deepEqual(splitPemCertificates(readFileSync(out, 'utf8')), [fake.caPem]);
    }));

  test('writes nothing if the certificates are those of the ETag', () =>
    withGateway(async ({ fake, out, download }) => {
      const { etag } = await download();
      const before = statSync(out).ino;
      assert.equal((await download(etag)).changed, false);
      assert.equal(statSync(out).ino, before);
      fake.etag = '"2"';
      assert.deepEqual((await download(etag)).etag, '"2"');
    }));

  test('replaces a file, or a link, and never writes through it', () =>
    withGateway(async ({ folder, out, download }) => {
      writeFileSync(join(folder, 'victim'), 'untouched');
      symlinkSync(join(folder, 'victim'), out);
      await download();
      assert.equal(readFileSync(join(folder, 'victim'), 'utf8'), 'untouched');
      assert.equal(statSync(out).isFile(), true);
    }));

  const responses: readonly (readonly [name: string, body: string])[] = [
    ['an HTML page', '<!doctype html><title>Sign in</title>'],
    ['nothing', ''],
    ['a certificate that is cut off', systemPem.slice(0, 200)],
    ['a certificate with garbage in it', systemPem.replace(/MII/, 'AAA')],
    ['text before a certificate', `hello\n${systemPem}`],
  ];
  for (const [name, body] of responses) {
    test(`${name} is ca_invalid and nothing is written`, () =>
      withGateway(async ({ fake, folder, download }) => {
        const before = readdirSync(folder);
        fake.failNext('ca', { kind: 'raw', status: 200, type: 'text/html', body });
        await assert.rejects(download(), { code: 'ca_invalid' });
        assert.deepEqual(readdirSync(folder), before);
      }));
  }

  test('a response that does not end is refused at its limit', () =>
    withGateway(async ({ fake, folder }) => {
      fake.failNext('ca', { kind: 'raw', status: 200, type: 'text/plain', body: 'x'.repeat(5000) });
      const limits = { ...defaultLimits, caBytesMax: 4096 };
      const options = { gatewayCa: fake.authority.caPem, limits };
      const download = writeCaBundle(fake.url, undefined, join(folder, 'out'), options);
      await assert.rejects(download, { code: 'gateway_protocol', message: /4096/ });
    }));

  test('a folder that cannot be written is told', () =>
    withGateway(async ({ fake }) => {
      const download = writeCaBundle(fake.url, undefined, '/proc/bundle.pem', {
        gatewayCa: fake.authority.caPem,
      });
      await assert.rejects(download, { code: 'trust_unwritable', message: /\/proc\/bundle\.pem/ });
    }));

  test('a gateway of another authority is not asked', () =>
    withGateway(async ({ fake, out }) => {
      await assert.rejects(writeCaBundle(fake.url, undefined, out, { gatewayCa: systemPem }), {
        code: 'gateway_untrusted',
      });
      assert.deepEqual(fake.requests, []);
    }));
});

describe('the system bundle', () => {
  test('that holds no certificate, or cannot be read, counts as missing', () =>
    withTemporaryDirectory(async (folder) => {
      const path = join(folder, 'bundle.pem');
      writeFileSync(path, 'nothing');
      assert.equal(readSystemBundle(path), undefined);
      assert.equal(readSystemBundle(folder), undefined);
    }));
  test('without a final newline still ends before ours begins', () => {
    assert.deepEqual(splitPemCertificates(mergeBundle(systemPem.trimEnd(), systemPem)), [
      systemPem,
      systemPem,
    ]);
  });
});

describe('a pinned CA', () => {
  test('may be text or a file', () =>
    withTemporaryDirectory(async (folder) => {
      const path = join(folder, 'ca.pem');
      writeFileSync(path, systemPem);
      chmodSync(path, 0o400);
      assert.equal(readGatewayCa(path), systemPem);
      assert.equal(readGatewayCa(systemPem), systemPem);
    }));
  test('that is missing or not PEM is a fault of the configuration', () =>
    withTemporaryDirectory(async (folder) => {
      const path = join(folder, 'ca.pem');
      assert.throws(() => readGatewayCa(path), { code: 'config_invalid', message: /cannot be read/ });
      for (const swapped of ['secret-token', 'secret\0token', `/${'secret'.repeat(900)}/token`, 'K=secret\n'])
        assert.throws(
          () => readGatewayCa(swapped),
          (error: Error) => !JSON.stringify([error.message, String(error.cause)]).includes('secret'),
        );
      writeFileSync(path, 'no certificate');
      assert.throws(() => readGatewayCa(path), { code: 'config_invalid', message: /ca\.pem/ });
      const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
      assert.throws(() => readGatewayCa(broken), { code: 'config_invalid' });
    }));
});
