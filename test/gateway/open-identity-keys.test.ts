import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseGatewayConfig } from '../../src/gateway/config/config.ts';
import { keyEncryptionKeyOf } from '../../src/gateway/identity/key-encryption-key.ts';
import { openIdentityKeys } from '../../src/gateway/open-identity-keys.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { authority } from './credentials/support/credential-scene.ts';
import { openVaultServer } from './credentials/support/vault-server.ts';

const key = randomBytes(32).toString('base64');
const { id } = keyEncryptionKeyOf(key) ?? assert.fail();

/** The names of the keys that a configuration gives. */
async function idsOf(
  identity: string,
  directory: string,
  environment: Record<string, string> = {},
): Promise<readonly string[]> {
  await using stack = new AsyncDisposableStack();
  const parsed = parseGatewayConfig(
    { file: 'gateway.yaml', text: `identity: ${identity}\nupstream: { hosts: { localhost: 127.0.0.1 } }\n` },
    directory,
  );
  if ('problems' in parsed) assert.fail(parsed.problems.map(({ message }) => message).join('\n'));
  const { config } = parsed;
  if (config.identity.kind !== 'store') assert.fail();
  const read = await openIdentityKeys(config.identity, { config, environment, clock: Date.now, stack });
  return (await read()).map((one) => one.id);
}

test('a key comes from a variable, a file, a command or a vault', async () => {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryDirectory());
  await writeFile(join(path, 'key'), `${key}\n`, { mode: 0o600 });
  const vault = stack.use(await openVaultServer({ clock: Date.now }));
  await writeFile(join(path, 'ca.pem'), authority.caPem);
  vault.put('gateway', { key });
  await writeFile(join(path, 'token'), vault.makeToken(), { mode: 0o600 });
  const sources = {
    env: '{ env: IDENTITY_KEY }',
    file: '{ file: key }',
    command: `{ command: [/bin/cat, ${join(path, 'key')}] }`,
    vault: `{ vault: { address: ${vault.url}, ca: ca.pem, path: secret/data/gateway, field: key, auth: { tokenSource: { file: token } } } }`,
  };
  for (const [kind, source] of Object.entries(sources))
    assert.deepEqual(
      await idsOf(`{ store: true, keyEncryptionKey: ${source} }`, path, { IDENTITY_KEY: key }),
      [id],
      kind,
    );
  assert.equal(
    new Set(
      await idsOf(
        '{ store: true, keyEncryptionKey: { file: key }, nextKeyEncryptionKey: { file: key } }',
        path,
      ),
    ).size,
    1,
  );
});

test('what gives no key is said by its name, with nothing of what it gave', async () => {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryDirectory());
  await writeFile(join(path, 'short'), 'correct horse battery staple', { mode: 0o600 });
  const vault = stack.use(await openVaultServer({ clock: Date.now }));
  await writeFile(join(path, 'token'), 'none', { mode: 0o600 });
  const cases: readonly (readonly [string, RegExp])[] = [
    ['{ env: ABSENT }', /identity\.keyEncryptionKey: the environment variable ABSENT is not set/],
    ['{ file: nowhere }', /identity\.keyEncryptionKey: the file .*nowhere cannot be used/],
    ['{ file: short }', /identity\.keyEncryptionKey is not 32 random octets/],
    ['{ command: [/bin/false] }', /identity\.keyEncryptionKey: the command \/bin\/false gave no value/],
    [
      `{ vault: { address: ${vault.url}, ca: ca.pem, path: secret/data/gateway, field: key, auth: { tokenSource: { file: token } } } }`,
      /identity\.keyEncryptionKey: /,
    ],
  ];
  for (const [source, message] of cases)
    await assert.rejects(
      idsOf(`{ store: true, keyEncryptionKey: ${source} }`, path),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'identity_unusable');
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /\n|horse/);
        return true;
      },
    );
});
