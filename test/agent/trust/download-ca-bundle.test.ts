import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { downloadCaBundle } from '../../../src/agent/trust/download-ca-bundle.ts';
import { splitPemCertificates } from '../../../src/pki/pem.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { MemoryLogger } from '../support/enrolled.ts';
import { FakeGateway } from '../support/fake-gateway.ts';

const systemPem = createTestAuthority().caPem;

interface Setting {
  readonly fake: FakeGateway;
  readonly folder: string;
  readonly out: string;
  readonly logger: MemoryLogger;
}

function withGateway(use: (setting: Setting) => Promise<void>): Promise<void> {
  return withTemporaryDirectory(async (folder) => {
    await using fake = await FakeGateway.start();
    await use({ fake, folder, out: join(folder, 'out.pem'), logger: new MemoryLogger() });
  });
}

describe('downloadCaBundle', () => {
  test('resolves to true once the bundle is written, with trust in the gateway by text or by file', () =>
    withGateway(async ({ fake, folder, out, logger }) => {
      const system = join(folder, 'system.pem');
      writeFileSync(system, systemPem);
      const file = join(folder, 'gateway.pem');
      writeFileSync(file, fake.authority.caPem);
      for (const gatewayCa of [fake.authority.caPem, file]) {
        assert.equal(await downloadCaBundle(fake.url, system, out, { gatewayCa, logger }), true);
        assert.deepEqual(splitPemCertificates(readFileSync(out, 'utf8')), [systemPem, fake.caPem]);
      }
      assert.deepEqual(logger.lines, []);
    }));

  test('survives a system bundle that is missing, a folder or empty, and says so', () =>
    withGateway(async ({ fake, folder, out, logger }) => {
      const [missing, empty, directory] = ['missing', 'empty', 'directory'].map((name) => join(folder, name));
      writeFileSync(empty!, '');
      mkdirSync(directory!);
      for (const system of [missing!, empty!, directory!]) {
        const gatewayCa = fake.authority.caPem;
        assert.equal(await downloadCaBundle(fake.url, system, out, { gatewayCa, logger }), true);
        assert.deepEqual(splitPemCertificates(readFileSync(out, 'utf8')), [fake.caPem]);
      }
      assert.equal(logger.lines.length, 3);
      for (const line of logger.lines) assert.match(line, /^warn no system CA bundle was found/);
    }));

  test('resolves to false with one warning when the bundle cannot be had, and leaves what was there', () =>
    withGateway(async ({ fake, folder, out, logger }) => {
      writeFileSync(out, 'as it was');
      const before = readdirSync(folder);
      const gatewayCa = fake.authority.caPem;
      // By turns: another authority, no gateway, an HTML page, a place that cannot be written, no such trust, another scheme.
      const attempts: readonly (readonly [code: string, arrange: () => Promise<boolean>])[] = [
        [
          'gateway_untrusted',
          () => downloadCaBundle(fake.url, undefined, out, { gatewayCa: systemPem, logger }),
        ],
        ['gateway_untrusted', () => downloadCaBundle(fake.url, undefined, out, { logger })],
        [
          'gateway_untrusted',
          () =>
            downloadCaBundle(fake.url, undefined, out, {
              gatewayCa,
              gatewayPins: [`sha256/${'A'.repeat(43)}=`],
              logger,
            }),
        ],
        [
          'gateway_unreachable',
          () => downloadCaBundle('https://127.0.0.1:9', undefined, out, { gatewayCa, logger }),
        ],
        [
          'ca_invalid',
          () => {
            fake.failNext('ca', {
              kind: 'raw',
              status: 200,
              type: 'text/html',
              body: '<title>Sign in</title>',
            });
            return downloadCaBundle(fake.url, undefined, out, { gatewayCa, logger });
          },
        ],
        [
          'trust_unwritable',
          () => downloadCaBundle(fake.url, undefined, '/proc/bundle.pem', { gatewayCa, logger }),
        ],
        [
          'config_invalid',
          () => downloadCaBundle(fake.url, undefined, out, { gatewayCa: '/nonexistent', logger }),
        ],
        [
          'config_invalid',
          () => downloadCaBundle('http://gateway.test', undefined, out, { gatewayCa, logger }),
        ],
      ];
      for (const [code, attempt] of attempts) {
        logger.lines.length = 0;
        assert.equal(await attempt(), false, code);
        assert.equal(logger.lines.length, 1);
        assert.match(
          logger.lines[0] ?? '',
          new RegExp(`^warn the CA bundle was not written: .* \\[${code}\\]$`),
        );
      }
      assert.deepEqual(readdirSync(folder), before);
      assert.equal(readFileSync(out, 'utf8'), 'as it was');
    }));

  test('refuses options that it does not have, before it asks anybody', () =>
    withGateway(async ({ fake, out }) => {
      const call = (options: unknown): Promise<boolean> =>
        downloadCaBundle(fake.url, undefined, out, options as { gatewayCa: string });
      await assert.rejects(call({ gatewayCA: fake.authority.caPem }), {
        code: 'config_invalid',
        message: /no option "gatewayCA"; did you mean gatewayCa\?/,
      });
      await assert.rejects(call({ gatewayCa: 7 }), {
        code: 'config_invalid',
        message: /gatewayCa must be a text/,
      });
      await assert.rejects(call(null), { code: 'config_invalid' });
      await assert.rejects(downloadCaBundle(undefined as never, undefined, out), { code: 'config_invalid' });
      assert.deepEqual(fake.requests, []);
    }));
});
