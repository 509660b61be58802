import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { SeenArchives } from '../../../src/gateway/cache/seen-archives.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

test('one archive is read whole at a time, and each once', async () => {
  await using directory = await temporaryDirectory();
  const octets = Buffer.alloc(300_000, 'x');
  const path = join(directory.path, 'archive');
  await writeFile(path, octets);
  const sha256 = createHash('sha256').update(octets).digest('hex');
  const { signal } = new AbortController();
  const seen = new SeenArchives();
  const look = async (hash: string): Promise<boolean | undefined> => {
    await using handle = await open(path);
    return await seen.lookWhole({ sha256: hash, bytes: octets.length }, handle, signal);
  };
  const other = createHash('sha256').update('other').digest('hex');
  const both = await Promise.all([look(other), look(sha256)]);
  // Which of them comes first is the disk's to say.
  assert.equal(both.filter((one) => one === undefined).length, 1);
  assert.equal(await look(other), false);
  assert.equal(await look(sha256), true);
  await writeFile(path, Buffer.alloc(octets.length, 'y'));
  assert.equal(await look(sha256), true);
});
