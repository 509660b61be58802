import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { openCredentialSource } from '../../../../src/gateway/credentials/sources/credential-source.ts';
import type { CredentialSource } from '../../../../src/gateway/credentials/sources/credential-source.ts';
import { AwsKeySet } from '../../../../src/gateway/credentials/sigv4/aws-keys.ts';
import { Secret } from '../../../../src/protocol/secret.ts';
import { temporaryDirectory } from '../../../support/temporary-directory.ts';

const parts = ['id', 'secret', 'token'] as const;

/** Three sources of one store, whose version a test changes; `onLook` runs at every look, with its number. */
function sourcesOf(version: () => number, onLook: (look: number) => void = () => undefined) {
  let looks = 0;
  const source = (part: string): CredentialSource => ({
    read: async () => {
      onLook((looks += 1));
      return new Secret(`${part}-${version()}`);
    },
  });
  const [keyId, secret, token] = parts.map(source) as [CredentialSource, CredentialSource, CredentialSource];
  return { keyId, secret, token };
}

async function read(set: AwsKeySet, nowMs: number): Promise<readonly string[]> {
  const { accessKeyId, secretAccessKey, sessionToken } = await set.read(nowMs);
  return [accessKeyId, secretAccessKey.reveal(), sessionToken?.reveal() ?? ''];
}

test('a rotation at any look of the way gives the old keys or the new ones, and no mixture', async () => {
  let mixtures = 0;
  for (let at = 1; at <= 12; at += 1) {
    let version = 1;
    const set = new AwsKeySet(
      'aws',
      sourcesOf(
        () => version,
        (look) => {
          if (look === at) version = 2;
        },
      ),
    );
    for (let request = 0; request < 3; request += 1) {
      const keys = await read(set, 0);
      const versions = new Set(keys.map((key) => key.split('-')[1]));
      assert.equal(versions.size, 1, `${at}: ${keys.join()}`);
    }
    mixtures += version - 1;
  }
  assert.ok(mixtures > 6, 'the rotations took place');
});

test('a value that is remembered longer than another does not outlive the set that it belongs to', async () => {
  await using directory = await temporaryDirectory();
  const store = async (version: number): Promise<void> => {
    for (const part of parts) await writeFile(join(directory.path, part), `${part}-${version}`);
  };
  await store(1);
  const set = new AwsKeySet('aws', {
    // A file is looked at again after a second, what a command printed is used for a minute.
    keyId: openCredentialSource('aws', { file: join(directory.path, 'id') }, {}),
    secret: openCredentialSource('aws', { command: ['cat', join(directory.path, 'secret')] }, {}),
    token: openCredentialSource('aws', { command: ['cat', join(directory.path, 'token')] }, {}),
  });
  assert.deepEqual(await read(set, 0), ['id-1', 'secret-1', 'token-1']);
  await store(2);
  assert.deepEqual(await read(set, 500), ['id-1', 'secret-1', 'token-1']);
  assert.deepEqual(await Promise.all([read(set, 2_000), read(set, 2_000)]), [
    ['id-2', 'secret-2', 'token-2'],
    ['id-2', 'secret-2', 'token-2'],
  ]);
});

test('keys that are others at every look are refused with the reason', async () => {
  let version = 0;
  const set = new AwsKeySet(
    'aws',
    sourcesOf(() => (version += 1)),
  );
  await assert.rejects(read(set, 0), {
    code: 'credential_unavailable',
    message: /change while they are read/,
  });
});
