import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { calculateJwkThumbprint, exportJWK } from 'jose';
import { openSigningKey, signingKeyFile } from '../../../src/gateway/sessions/signing-key.ts';

let root = '';
let folders = 0;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'upstreamproxy-key-'));
});
after(() => rm(root, { recursive: true }));
const newFolder = async (): Promise<string> => {
  const folder = join(root, String((folders += 1)));
  await mkdir(folder, { mode: 0o700 });
  return folder;
};
const unusable = (message: RegExp) => ({ name: 'ProxyError', code: 'signing_key_unusable', message });

test('a new key is made for the owner alone, whatever the umask', async () => {
  const folder = join(root, 'new');
  const mask = process.umask(0);
  try {
    await openSigningKey(folder);
  } finally {
    process.umask(mask);
  }
  assert.equal((await lstat(folder)).mode & 0o777, 0o700);
  assert.equal((await lstat(join(folder, signingKeyFile))).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(folder), [signingKeyFile]);
});

test('opening again gives the same key', async () => {
  const folder = await newFolder();
  const first = await openSigningKey(folder);
  const second = await openSigningKey(folder);
  assert.equal(first.kid, second.kid);
  assert.equal(first.publicKey.equals(second.publicKey), true);
});

test('the key id is the RFC 7638 thumbprint', async () => {
  const { kid, publicKey } = await openSigningKey(await newFolder());
  assert.equal(
    kid,
    await calculateJwkThumbprint(
      await exportJWK(createPublicKey(publicKey.export({ type: 'spki', format: 'pem' }))),
    ),
  );
});

test('of several that create the key at once all get the same one', async () => {
  const folder = await newFolder();
  const keys = await Promise.all(Array.from({ length: 8 }, () => openSigningKey(folder)));
  assert.equal(new Set(keys.map(({ kid }) => kid)).size, 1);
  assert.deepEqual(await readdir(folder), [signingKeyFile]);
});

const { privateKey: rsaKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const { publicKey } = generateKeyPairSync('ed25519');
const broken: readonly (readonly [name: string, content: string, message: RegExp])[] = [
  ['an empty file', '', /cannot be used/],
  ['half a key', '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw', /cannot be used/],
  ['a public key', publicKey.export({ type: 'spki', format: 'pem' }).toString(), /cannot be used/],
  ['an RSA key', rsaKey.export({ type: 'pkcs8', format: 'pem' }).toString(), /not an Ed25519 private key/],
  ['a large file', 'x'.repeat(5000), /too large/],
];
for (const [name, content, message] of broken) {
  test(`${name} is refused and never replaced`, async () => {
    const folder = await newFolder();
    const path = join(folder, signingKeyFile);
    await writeFile(path, content, { mode: 0o600 });
    await assert.rejects(openSigningKey(folder), unusable(message));
    assert.equal(await readFile(path, 'utf8'), content);
  });
}

test('a key that others may read, a link and a directory are refused', async () => {
  const folder = await newFolder();
  const path = join(folder, signingKeyFile);
  await openSigningKey(folder);
  await chmod(path, 0o640);
  await assert.rejects(openSigningKey(folder), unusable(/others may read it/));
  const linked = await newFolder();
  await symlink(path, join(linked, signingKeyFile));
  await assert.rejects(openSigningKey(linked), unusable(/cannot be used/));
  const directory = await newFolder();
  await mkdir(join(directory, signingKeyFile));
  await assert.rejects(openSigningKey(directory), unusable(/not a regular file/));
});

test('a message never holds the key', async () => {
  const folder = await newFolder();
  await openSigningKey(folder);
  const path = join(folder, signingKeyFile);
  const secret = (await readFile(path, 'utf8')).split('\n')[1] ?? '';
  assert.ok(secret.length > 20);
  await writeFile(path, `-----BEGIN PRIVATE KEY-----\n${secret}==x\n-----END PRIVATE KEY-----\n`);
  await assert.rejects(openSigningKey(folder), (error: Error) => !error.message.includes(secret));
});
