import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { openCertificateAuthority, readCertificateAuthority } from '../../src/pki/authority-folder.ts';
import { installAuthority, requestAuthority } from '../../src/pki/authority-request.ts';
import { makeNextAuthority, switchAuthority } from '../../src/pki/authority-rotation.ts';
import { constraintViolation } from '../../src/pki/name-constraints.ts';
import { pemContents, splitPemCertificates } from '../../src/pki/pem.ts';
import { isPermitted, parentsOf } from '../../src/pki/permitted-names.ts';
import { intermediateExtensions, offlineRoot } from '../support/offline-root.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';
import { skipWithout } from '../support/tools.ts';

/** What is signed now is valid then, however long these tests take. */
const nowMs = Date.now() + 3_600_000;
const names = ['api.example.com', 'example.com', 'registry.test', 'a.registry.test', 'example.com'];
const skip = skipWithout('openssl');
const root = skip === false ? offlineRoot() : undefined;
after(() => root?.[Symbol.dispose]());

/** What our own verifier says of a leaf and those above it. */
function violation(chain: string, root: string): string | undefined {
  return constraintViolation([...splitPemCertificates(chain), root].map(pemContents));
}

describe('an authority for some names alone', () => {
  test('drops names below others', () => {
    assert.deepEqual(parentsOf(names), ['example.com', 'registry.test']);
    assert.deepEqual(
      ['example.com', 'a.example.com', 'notexample.com', 'com', 'example.com.evil.test'].map((name) =>
        isPermitted(name, names),
      ),
      [true, true, false, false, false],
    );
  });

  test('bounds a root that is made, and the one that follows it: no other name, and no address', async () => {
    await withTemporaryDirectory(async (directory) => {
      const check = async (): Promise<void> => {
        const { issue, signerPem } = await readCertificateAuthority(directory, { nowMs });
        const said = [
          'example.com',
          'deep.a.example.com',
          'registry.test',
          'other.test',
          '192.0.2.1',
          '2001:db8::1',
        ];
        assert.deepEqual(
          said.map((host) => violation(issue(host, nowMs).certificatePem, signerPem) === undefined),
          [true, true, true, false, false, false],
        );
      };
      await openCertificateAuthority(directory, { nowMs, names });
      await check();
      await makeNextAuthority({ directory, names }, nowMs);
      await switchAuthority({ directory, names }, { nowMs, atOnce: true });
      await check();
      const { signerPem } = await readCertificateAuthority(directory, { nowMs });
      assert.ok(new X509Certificate(signerPem).raw.length < 1000);
    });
  });

  test('holds 500 names within what clients read', async () => {
    await withTemporaryDirectory(async (directory) => {
      const many = Array.from({ length: 500 }, (_, n) => `host-number-${n}.example-${n % 7}.test`);
      const { signerPem } = await openCertificateAuthority(directory, { nowMs, names: many });
      const { length } = new X509Certificate(signerPem).raw;
      // Java refuses chains above 32,768 octets.
      assert.ok(length > 15_000 && length < 30_000, String(length));
    });
  });

  test(
    'asks its root for them, and refuses a chain without them, or with fewer names',
    { skip },
    async () => {
      assert.ok(root !== undefined);
      const ca = root;
      await withTemporaryDirectory(async (directory) => {
        const request = await requestAuthority({ directory, names });
        const install = async (...lines: readonly string[]) => {
          const signed = ca.sign(request, { extensions: [...intermediateExtensions, ...lines] });
          return await installAuthority(
            { directory, names },
            [signed, ca.pem].flatMap(splitPemCertificates),
            nowMs,
          );
        };
        const excluded = 'excluded;IP:0.0.0.0/0.0.0.0,excluded;IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0';
        const permitted = 'permitted;DNS:example.com,permitted;DNS:registry.test';
        await assert.rejects(install(), /certifies name-outside\.invalid too/);
        // Permitted names say nothing of addresses.
        await assert.rejects(install(`nameConstraints=critical,${permitted}`), /certifies 192\.0\.2\.1 too/);
        await assert.rejects(
          install(`nameConstraints=critical,permitted;DNS:example.com,${excluded}`),
          /does not certify registry\.test/,
        );
        await assert.rejects(
          install(`nameConstraints=critical,permitted;DNS:com,permitted;DNS:registry.test,${excluded}`),
          /certifies name-outside\.com too/,
        );
        const { installed } = await install(`nameConstraints=critical,${permitted},${excluded}`);
        assert.equal(installed, 'signs');
      });
    },
  );
});
