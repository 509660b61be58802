import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { test } from 'node:test';

import { javaKeyStore } from '../../src/pki/java-key-store.ts';
import { encodePem, pemContents } from '../../src/pki/pem.ts';
import { pkcs12TrustStore } from '../../src/pki/pkcs12-trust-store.ts';
import { hashedNames, subjectHash } from '../../src/pki/subject-hash.ts';

const roots = rootCertificates.map((pem) => pemContents(pem));
const absent = (command: string): string | false =>
  spawnSync(command, ['-version']).error === undefined ? false : `${command} is not installed`;

function inFolder<T>(run: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'upstreamproxy-test-'));
  try {
    return run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('the hash of a subject is the one of OpenSSL, for every root', { skip: absent('openssl') }, () => {
  inFolder((folder) => {
    for (const [index, root] of roots.entries())
      writeFileSync(join(folder, `${String(index)}.pem`), encodePem('CERTIFICATE', root));
    execFileSync('openssl', ['rehash', folder]);
    const linked = readdirSync(folder).filter((name) => !name.endsWith('.pem'));
    assert.ok(linked.length > 100);
    assert.deepEqual(hashedNames(roots).toSorted(), linked.toSorted());
  });
});

test('white space, letters and kinds of string do not change the hash', { skip: absent('openssl') }, () => {
  inFolder((folder) => {
    const hashes = [
      ['-utf8', '/O= Some   Où /CN=ÀB c'],
      ['-utf8', '/O=some oÙ/CN=Àb C'],
      ['-multivalue-rdn', '/O=b+CN=a'],
    ].map(([option = '', subject = '']) => {
      const file = join(folder, 'x.pem');
      const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', '/dev/null'];
      execFileSync('openssl', ['req', '-x509', ...key, option, '-subj', subject, '-out', file], {
        stdio: 'ignore',
      });
      const expected = execFileSync('openssl', ['x509', '-in', file, '-noout', '-hash'], {
        encoding: 'utf8',
      }).trim();
      const outDer = execFileSync('openssl', ['x509', '-in', file, '-outform', 'DER']);
      assert.equal(subjectHash(outDer), expected, subject);
      return expected;
    });
    // Letters beyond ASCII keep their case.
    assert.notEqual(hashes[0], hashes[1]);
  });
});

test('a second certificate of the same subject takes the next number', () => {
  const [first = new Uint8Array()] = roots;
  const [a, b] = hashedNames([first, first]);
  assert.match(a ?? '', /^[0-9a-f]{8}\.0$/);
  assert.equal(b, a?.replace('.0', '.1'));
});

for (const [type, bytes] of [
  ['JKS', javaKeyStore(roots, 'changeit', Date.UTC(2026, 0, 1))],
  ['PKCS12', pkcs12TrustStore(roots, 'changeit')],
] as const) {
  test(
    `keytool reads the ${type} store: every root is in it, as trusted`,
    { skip: absent('keytool') },
    () => {
      inFolder((folder) => {
        const file = join(folder, 'store');
        writeFileSync(file, bytes);
        const list = (password: string): ReturnType<typeof spawnSync> =>
          spawnSync(
            'keytool',
            ['-J-Duser.language=en', '-list', '-keystore', file, '-storetype', type, '-storepass', password],
            {
              encoding: 'utf8',
            },
          );
        const { stdout, status } = list('changeit');
        assert.equal(status, 0, String(stdout));
        assert.equal(String(stdout).match(/trustedCertEntry/g)?.length, roots.length);
        assert.notEqual(list('another').status, 0, 'its integrity is checked');
      });
    },
  );
}

test('a PKCS #12 store is read by OpenSSL', { skip: absent('openssl') }, () => {
  inFolder((folder) => {
    const file = join(folder, 'store.p12');
    writeFileSync(file, pkcs12TrustStore(roots.slice(0, 3), 'changeit'));
    const out = execFileSync('openssl', ['pkcs12', '-in', file, '-passin', 'pass:changeit', '-nokeys'], {
      encoding: 'utf8',
    });
    assert.equal(out.match(/BEGIN CERTIFICATE/g)?.length, 3);
  });
});
