import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdir, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openCertificateAuthority } from '../../src/pki/authority-folder.ts';
import { ProxyError } from '../../src/protocol/error.ts';
import { mustRun, runCommand } from '../support/command.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';
import { skipWithout } from '../support/tools.ts';

const open = (folder: string): ReturnType<typeof openCertificateAuthority> =>
  openCertificateAuthority(folder, { nowMs: Date.now() });

/** The authority is refused with this message, and its key file is left byte for byte as it was. */
async function refused(folder: string, message: RegExp): Promise<void> {
  const keyPath = join(folder, 'ca.key');
  const before = await readFile(keyPath).catch(() => undefined);
  await assert.rejects(open(folder), (error: unknown) => {
    assert.ok(error instanceof ProxyError, String(error));
    assert.equal(error.code, 'ca_key_unusable');
    assert.match(error.message, message);
    return true;
  });
  const after = await readFile(keyPath).catch(() => undefined);
  assert.deepEqual(after, before);
}

async function withAuthority(
  use: (folder: string, keyPath: string, certificatePath: string) => Promise<void>,
): Promise<void> {
  await withTemporaryDirectory(async (parent) => {
    const folder = join(parent, 'authority');
    await open(folder);
    await use(folder, join(folder, 'ca.key'), join(folder, 'ca.pem'));
  });
}

describe('the files of an authority', () => {
  test('are made private: folder 0700, key 0600, whatever the umask', async () => {
    const umask = process.umask(0);
    try {
      await withAuthority(async (folder, keyPath, certificatePath) => {
        assert.equal((await stat(folder)).mode & 0o777, 0o700);
        assert.equal((await stat(keyPath)).mode & 0o777, 0o600);
        assert.equal((await stat(certificatePath)).mode & 0o777, 0o644);
        assert.deepEqual((await readdir(folder)).sort(), ['ca.key', 'ca.pem']);
      });
    } finally {
      process.umask(umask);
    }
  });

  test('are one pair when many open the folder at once', async () => {
    await withTemporaryDirectory(async (parent) => {
      const folder = join(parent, 'authority');
      const opened = await Promise.all(Array.from({ length: 12 }, () => open(folder)));
      assert.equal(new Set(opened.map(({ certificatesPem }) => certificatesPem)).size, 1);
      assert.deepEqual((await readdir(folder)).sort(), ['ca.key', 'ca.pem']);
    });
  });

  test('are one pair when several processes start at once', async () => {
    await withTemporaryDirectory(async (parent) => {
      const folder = join(parent, 'authority');
      const module = new URL('../../src/pki/authority-folder.ts', import.meta.url).href;
      const program = `
        const { openCertificateAuthority } = await import(${JSON.stringify(module)});
        console.log((await openCertificateAuthority(${JSON.stringify(folder)}, { nowMs: Date.now() })).etag);`;
      const start = (): Promise<string> => mustRun(process.execPath, ['--input-type=module', '-e', program]);
      const etags = await Promise.all([start(), start(), start()]);
      assert.equal(new Set(etags).size, 1, etags.join());
    });
  });

  test('a key that others can read is refused', async () => {
    await withAuthority(async (folder, keyPath) => {
      await chmod(keyPath, 0o640);
      await refused(folder, /can be read by others: chmod 600/);
    });
  });

  test('a key that is not PEM is refused, and the message has nothing of it', async () => {
    await withAuthority(async (folder, keyPath) => {
      await writeFile(keyPath, 'canary-not-a-key');
      await refused(folder, /^(?!.*canary).*not a private key in PEM/);
    });
  });

  test('an empty key and a truncated key are refused', async () => {
    await withAuthority(async (folder, keyPath) => {
      const whole = await readFile(keyPath, 'utf8');
      for (const part of ['', whole.slice(0, 80)]) {
        await writeFile(keyPath, part);
        await refused(folder, /not a private key in PEM/);
      }
    });
  });

  test('an endless key file, a folder and a pipe are refused', { skip: skipWithout('mkfifo') }, async () => {
    await withAuthority(async (folder, keyPath) => {
      await writeFile(keyPath, 'x'.repeat(65_537));
      await refused(folder, /larger than/);
      await rm(keyPath);
      await mkdir(keyPath);
      await refused(folder, /not a regular file/);
      await rm(keyPath, { recursive: true });
      await mustRun('mkfifo', ['-m', '600', keyPath]);
      await assert.rejects(open(folder), /not a regular file/);
    });
  });

  test('a symbolic link to a private key is followed, as mounted secrets are', async () => {
    await withAuthority(async (folder, keyPath) => {
      const target = join(folder, 'mounted.key');
      await writeFile(target, await readFile(keyPath), { mode: 0o600 });
      await rm(keyPath);
      await symlink(target, keyPath);
      await open(folder);
      await chmod(target, 0o644);
      await refused(folder, /can be read by others/);
    });
  });

  test('a key of another pair is refused', async () => {
    await withAuthority(async (folder, keyPath) => {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      await writeFile(keyPath, privateKey.export({ type: 'pkcs8', format: 'pem' }));
      await refused(folder, /not that of the key beside it/);
    });
  });

  test('a key of a kind that clients do not take is refused', async () => {
    await withAuthority(async (folder, keyPath) => {
      await writeFile(
        keyPath,
        generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
      );
      await refused(folder, /neither P-256, P-384 nor RSA/);
    });
  });

  test('a key without its certificate is refused, and no new pair is made', async () => {
    await withAuthority(async (folder, keyPath, certificatePath) => {
      await rm(certificatePath);
      await refused(folder, /has no certificate beside it: restore/);
      assert.deepEqual(await readdir(folder), ['ca.key']);
      assert.ok(keyPath);
    });
  });

  test('a certificate without its key is refused, and no new pair is made', async () => {
    await withAuthority(async (folder, keyPath) => {
      await rm(keyPath);
      await refused(folder, /has no key beside it: restore/);
      assert.deepEqual(await readdir(folder), ['ca.pem']);
    });
  });

  test('a certificate file that is something else is refused', async () => {
    await withAuthority(async (folder, keyPath, certificatePath) => {
      await writeFile(certificatePath, '<html></html>');
      await refused(folder, /ca\.pem: .*HTML/);
      await writeFile(certificatePath, await readFile(keyPath));
      await refused(folder, /ca\.pem: .*private key/);
    });
  });

  test('a folder that others can write to is refused', async () => {
    await withAuthority(async (folder) => {
      await chmod(folder, 0o777);
      await refused(folder, /can be written by others: chmod go-w/);
    });
  });

  test('a file in the place of the folder is refused', async () => {
    await withTemporaryDirectory(async (parent) => {
      const folder = join(parent, 'authority');
      await writeFile(folder, '');
      await assert.rejects(open(folder), /cannot be used: a file is in its place$/);
    });
  });

  test('a certificate that cannot be written leaves no key behind', async () => {
    await withTemporaryDirectory(async (parent) => {
      const folder = join(parent, 'authority');
      await mkdir(folder, { mode: 0o700 });
      // Nothing can be had there, and nothing is written in its place.
      await symlink('nowhere', join(folder, 'ca.pem'));
      await assert.rejects(open(folder), /ca\.pem cannot be read/);
      assert.deepEqual(await readdir(folder), ['ca.pem']);
    });
  });

  test(
    'an intermediate without its root is refused, a root made by openssl is used',
    { skip: skipWithout('openssl') },
    async () => {
      await withTemporaryDirectory(async (folder) => {
        const run = (args: readonly string[]): ReturnType<typeof runCommand> =>
          runCommand('openssl', args, { cwd: folder });
        const subject = ['-subj', '/O=Example/CN=Example Root', '-addext', 'keyUsage=critical,keyCertSign'];
        await run([
          'req',
          '-x509',
          '-newkey',
          'rsa:2048',
          '-nodes',
          '-keyout',
          'ca.key',
          '-out',
          'ca.pem',
          '-days',
          '30',
          ...subject,
        ]);
        await chmod(join(folder, 'ca.key'), 0o600);
        const authority = await open(folder);
        await writeFile(
          join(folder, 'leaf.pem'),
          authority.issue('a.example.com', Date.now()).certificatePem,
        );
        const verified = await run(['verify', '-x509_strict', '-CAfile', 'ca.pem', 'leaf.pem']);
        assert.equal(verified.code, 0, verified.stderr);

        const request = ['req', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'sub.key', '-subj', '/CN=Sub'];
        await run([
          ...request,
          '-x509',
          '-CA',
          'ca.pem',
          '-CAkey',
          'ca.key',
          '-out',
          'sub.pem',
          '-days',
          '20',
        ]);
        await writeFile(join(folder, 'ca.key'), await readFile(join(folder, 'sub.key')));
        await writeFile(join(folder, 'ca.pem'), await readFile(join(folder, 'sub.pem')));
        await refused(folder, /leads to no root/);
      });
    },
  );
});
