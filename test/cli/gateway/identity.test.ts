import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { keyEncryptionKeyOf } from '../../../src/gateway/identity/key-encryption-key.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { mustRunShared, runShared } from '../../support/command-process.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

test('a step of a rotation that the database takes back ends with an error, whichever command does it', async () => {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryDirectory());
  const configFile = join(path, 'gateway.yaml');
  await writeFile(join(path, 'identity-key'), randomBytes(32).toString('hex'), { mode: 0o600 });
  await writeFile(join(path, 'policy.yaml'), 'rules: []\n');
  await writeFile(
    configFile,
    'listen: { address: 127.0.0.1, port: 0 }\nstateDirectory: state\nstore: sqlite:state.db\npolicy: policy.yaml\nidentity: { store: true, keyEncryptionKey: { file: identity-key } }\n',
  );
  await mustRunShared(['identity', 'make', '--config', configFile]);
  const database = new DatabaseSync(join(path, 'state.db'));
  stack.defer(() => database.close());
  database.exec(
    'CREATE TRIGGER back AFTER UPDATE ON identity BEGIN UPDATE identity SET version = OLD.version, sealed = OLD.sealed; END',
  );
  for (const step of [
    ['keys', 'next'],
    ['ca', 'next'],
    ['identity', 'rewrap'],
  ]) {
    const { code, stderr } = await runShared([...step, '--config', configFile]);
    assert.equal(code, 78, stderr);
    assert.match(
      stderr,
      /^upstreamproxy: version 2 was written to the store, and it has another version 1 now.*\[identity_unusable\]$/m,
    );
  }
  database.exec('DROP TRIGGER back');
  await mustRunShared(['keys', 'next', '--config', configFile]);
  assert.equal(database.prepare('SELECT version FROM identity').get()?.['version'], 2);
});

test('the identity is not sealed beyond a gateway that serves and could not start again', async () => {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryDirectory());
  const [old, next] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')];
  const nameOf = (key: string): string => keyEncryptionKeyOf(key)?.id ?? '';
  await writeFile(join(path, 'old'), old, { mode: 0o600 });
  await writeFile(join(path, 'next'), next, { mode: 0o600 });
  await writeFile(join(path, 'policy.yaml'), 'rules: []\n');
  const configWith = async (keys: string): Promise<string> => {
    const file = join(path, 'gateway.yaml');
    const identity = `identity: { store: true, ${keys} }`;
    await writeFile(
      file,
      `listen: { address: 127.0.0.1, port: 0 }\nstateDirectory: state\nstore: sqlite:state.db\npolicy: policy.yaml\n${identity}\n`,
    );
    return file;
  };
  const rewrap = async (keys: string, ...more: readonly string[]) =>
    await runShared(['identity', 'rewrap', '--config', await configWith(keys), ...more]);
  const oldAlone = 'keyEncryptionKey: { file: old }';
  const both = `${oldAlone}, nextKeyEncryptionKey: { file: next }`;
  const nextAlone = 'keyEncryptionKey: { file: next }';
  await mustRunShared(['identity', 'make', '--config', await configWith(oldAlone)]);
  const store = stack.use(await openStore(`sqlite:${join(path, 'state.db')}`));
  const say = (gateway: string, identityKeys: readonly string[] | undefined, leaseMs = 600_000) =>
    store.gateways.note(
      {
        incarnation: gateway.repeat(32),
        peerAddress: gateway === 'a' ? '10.0.0.5:8444' : undefined,
        state: 'serving',
        changeSeen: 0,
        identityKeys,
      },
      leaseMs,
    );
  await say('a', [nameOf(old)]);
  await say('b', undefined);
  // One that is gone starts with what its configuration says by then.
  await say('c', [nameOf(old)], 0);
  // A version before says nothing of keys: it may have the old one.
  const silent = await rewrap(both);
  assert.equal(silent.code, 78, silent.stderr);
  assert.match(
    silent.stderr,
    /: 1 gateway on this store could not start again: .*bbbbbbbbbbbbbbbb does not say which it has\./,
  );
  await say('b', [nameOf(next), nameOf(old)]);
  assert.equal((await rewrap(both)).code, 0);
  const early = await rewrap(nextAlone);
  assert.equal(early.code, 78, early.stderr);
  assert.match(
    early.stderr,
    new RegExp(
      `sealed for key ${nameOf(next)} alone, and aaaaaaaaaaaaaaaa at 10\\.0\\.0\\.5:8444 has key ${nameOf(old)}\\. .*--force.*\\[identity_unusable\\]`,
    ),
  );
  assert.equal(await store.identity.version(), 2);
  assert.equal((await rewrap(nextAlone, '--force')).stdout, `version 3 is sealed for key ${nameOf(next)}\n`);
  await say('a', [nameOf(next)]);
  assert.equal((await rewrap(nextAlone)).code, 0);
});
