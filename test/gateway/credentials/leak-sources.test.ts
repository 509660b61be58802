// Which secrets of a credential requests are searched for.

import assert from 'node:assert/strict';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CredentialConfig } from '../../../src/gateway/credentials/credential-kinds.ts';
import { CredentialSet } from '../../../src/gateway/credentials/credential-set.ts';
import { leakSources } from '../../../src/gateway/credentials/leak-sources.ts';
import { LeakSearch } from '../../../src/gateway/leaks/leak-search.ts';

const secret = (name: string): string => `${name}-0123456789abcdef`;
const environment = Object.fromEntries(
  ['source', 'refresh', 'session', 'id'].map((name) => [name.toUpperCase(), secret(name)]),
);

const oauthOf = (refreshToken?: CredentialConfig['source']): CredentialConfig => ({
  kind: 'oauth',
  tokenUrl: 'https://issuer.test/token',
  clientId: 'workload',
  source: { env: 'SOURCE' },
  ...(refreshToken === undefined ? {} : { refreshToken }),
});

const sigv4Of = (sessionToken: CredentialConfig['source']): CredentialConfig => ({
  kind: 'sigv4',
  accessKeyId: { env: 'ID' },
  source: { env: 'SOURCE' },
  sessionToken,
});

/** The values that the sources give, by the credential. */
async function valuesOf(configs: Readonly<Record<string, CredentialConfig>>): Promise<readonly string[]> {
  const sources = leakSources({ configs, canaries: {} }, environment);
  const read = await Promise.all(
    sources.map(async (one) => (await one.read(0)).map((value) => `${one.owner.name} ${value.reveal()}`)),
  );
  return read.flat();
}

test('a token that renews a credential, and one that travels beside a signature, are secrets of it, from variables and from files', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'leak-sources-'));
  const file = join(folder.path, 'token');
  await writeFile(file, secret('file'), { mode: 0o600 });
  for (const [source, value] of [
    [{ env: 'REFRESH' }, secret('refresh')],
    [{ file }, secret('file')],
  ] as const)
    for (const config of [oauthOf(source), sigv4Of(source)])
      assert.deepEqual(await valuesOf({ own: config }), [`own ${secret('source')}`, `own ${value}`]);
});

test('a credential without them has the one value of its source', async () => {
  const bearer: CredentialConfig = { kind: 'bearer', source: { env: 'SOURCE' } };
  for (const config of [bearer, oauthOf()])
    assert.deepEqual(await valuesOf({ own: config }), [`own ${secret('source')}`]);
});

test('those that a command gives are searched for as well, and the id of a key is none', async () => {
  const command = [process.execPath, '-p', JSON.stringify(secret('command'))] as const;
  await using credentials = new CredentialSet({ own: sigv4Of({ command }) }, environment);
  const table = await credentials.leaks.current(Date.now());
  const found = (text: string): boolean => {
    const search = new LeakSearch({
      table,
      kinds: new Set(['credential']),
      own: new Set(),
      allowed: new Set(),
      placeholders: [],
    });
    return search.run(Buffer.from(text)).length > 0;
  };
  assert.deepEqual(
    ['source', 'command', 'id'].map((name) => found(secret(name))),
    [true, true, false],
  );
});
