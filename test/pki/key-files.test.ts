import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openCertificateAuthority, readCertificateAuthority } from '../../src/pki/authority-folder.ts';
import { encryptAuthorityKeys } from '../../src/pki/authority-encryption.ts';
import { requestAuthority } from '../../src/pki/authority-request.ts';
import { makeNextAuthority, switchAuthority } from '../../src/pki/authority-rotation.ts';
import { createKey } from '../../src/pki/authority-key.ts';
import { encryptedKeyFiles, plainKeyFiles } from '../../src/pki/key-files.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';
import { skipWithout } from '../support/tools.ts';

const nowMs = Date.now();
const secret = 'correct horse battery staple';
const keys = encryptedKeyFiles(async () => secret);
const others = encryptedKeyFiles(async () => 'another horse battery staple');

describe('the key file of an authority', () => {
  test('is encrypted with the passphrase, and every later step reads and writes it so', async () => {
    await withTemporaryDirectory(async (directory) => {
      const file = (name: string): string => readFileSync(join(directory, name), 'utf8');
      const { signerPem } = await openCertificateAuthority(directory, { nowMs, keys });
      assert.match(file('ca.key'), /^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
      assert.equal(statSync(join(directory, 'ca.key')).mode & 0o777, 0o600);
      assert.equal((await readCertificateAuthority(directory, { nowMs, keys })).signerPem, signerPem);
      await makeNextAuthority({ directory, keys }, nowMs);
      await requestAuthority({ directory, keys });
      for (const name of ['next-ca.key', 'requested-ca.key'])
        assert.match(file(name), /^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
      await switchAuthority({ directory, keys }, { nowMs, atOnce: true });
      assert.notEqual((await readCertificateAuthority(directory, { nowMs, keys })).signerPem, signerPem);
    });
  });

  test('does not open without its passphrase, or with another one, and is left as it is', async () => {
    await withTemporaryDirectory(async (directory) => {
      await openCertificateAuthority(directory, { nowMs, keys });
      const before = readFileSync(join(directory, 'ca.key'));
      await assert.rejects(openCertificateAuthority(directory, { nowMs }), {
        code: 'ca_key_unusable',
        message: /ca\.key is encrypted, and no passphrase is configured/,
      });
      const wrong = openCertificateAuthority(directory, { nowMs, keys: others });
      await assert.rejects(wrong, (error: Error) => {
        assert.match(error.message, /ca\.key does not open with certificateAuthority\.passphrase/);
        assert.ok(!error.message.includes('horse'));
        return true;
      });
      // One octet of the ciphertext is another one.
      const at = before.length - 60;
      const changed = Buffer.from(before);
      changed[at] = before[at] === 0x41 ? 0x42 : 0x41;
      writeFileSync(join(directory, 'ca.key'), changed);
      await assert.rejects(
        readCertificateAuthority(directory, { nowMs, keys: encryptedKeyFiles(async () => secret) }),
      );
    });
  });

  test('that is plain goes on as before, until it is encrypted', async () => {
    await withTemporaryDirectory(async (directory) => {
      const { signerPem } = await openCertificateAuthority(directory, { nowMs });
      const path = join(directory, 'ca.key');
      assert.equal((await openCertificateAuthority(directory, { nowMs, keys })).signerPem, signerPem);
      await assert.rejects(
        encryptAuthorityKeys({ directory, keys: encryptedKeyFiles(async () => 'short') }),
        /fewer than 16 characters/,
      );
      assert.match(readFileSync(path, 'utf8'), /BEGIN PRIVATE KEY/);
      await assert.rejects(encryptAuthorityKeys({ directory }), /no passphrase is configured/);
      assert.deepEqual(await encryptAuthorityKeys({ directory, keys }), [path]);
      assert.match(readFileSync(path, 'utf8'), /BEGIN ENCRYPTED PRIVATE KEY/);
      assert.equal(statSync(path).mode & 0o777, 0o600);
      assert.equal((await readCertificateAuthority(directory, { nowMs, keys })).signerPem, signerPem);
      assert.deepEqual(await encryptAuthorityKeys({ directory, keys }), []);
    });
  });

  test('is asked for its passphrase once for each content', async () => {
    let asked = 0;
    const counting = encryptedKeyFiles(async () => {
      asked += 1;
      return secret;
    });
    const [one, other] = [await keys.write(createKey()), await keys.write(createKey())];
    for (const text of [one, other, one, other]) await counting.read(text, 'ca.key');
    assert.equal(asked, 2);
  });

  test(
    'is one that OpenSSL opens, and one of OpenSSL is opened',
    { skip: skipWithout('openssl') },
    async () => {
      const key = createKey();
      const plain = key.export({ type: 'pkcs8', format: 'pem' }).toString();
      const openssl = (input: string, ...args: readonly string[]): string =>
        execFileSync('openssl', ['pkcs8', ...args], { input, encoding: 'utf8' });
      assert.equal(openssl(await keys.write(key), '-passin', `pass:${secret}`), plain);
      for (const kind of [['-scrypt'], ['-v2', 'aes-256-cbc']]) {
        const made = openssl(plain, '-topk8', ...kind, '-passout', `pass:${secret}`);
        assert.ok((await encryptedKeyFiles(async () => secret).read(made, 'ca.key')).equals(key));
        await assert.rejects(plainKeyFiles.read(made, 'ca.key'), /is encrypted/);
      }
    },
  );

  test('never opens where others can read it', async () => {
    await withTemporaryDirectory(async (directory) => {
      await openCertificateAuthority(directory, { nowMs, keys });
      chmodSync(join(directory, 'ca.key'), 0o644);
      await assert.rejects(readCertificateAuthority(directory, { nowMs, keys }), /can be read by others/);
    });
  });
});
