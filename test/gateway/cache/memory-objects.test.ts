import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { MemoryObjects } from '../../../src/gateway/cache/memory-objects.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { waitUntil } from '../../support/program.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { openTestCache } from '../support/cache-scene.ts';
import { fetchBy, promiseOf, scriptedOrigin } from '../support/scripted-origin.ts';

const { cacheMemoryObjectBytesMax } = defaultLimits;

/** Reads a file with these octets into memory, under the name of others where those are given. */
async function taken(
  memory: MemoryObjects,
  octets: Buffer,
  named: Buffer = octets,
): Promise<{ readonly sha256: string; readonly bytes: number; readonly isTaken: boolean }> {
  const known = { sha256: createHash('sha256').update(named).digest('hex'), bytes: named.length };
  let isTaken = false;
  await withTemporaryDirectory(async (directory) => {
    const path = join(directory, 'object');
    await writeFile(path, octets);
    await using handle = await open(path);
    isTaken = (await memory.read(known, { handle })) !== undefined;
  });
  return { ...known, isTaken };
}

test('what was used least recently makes room, and no more is held than may be', async () => {
  const memory = new MemoryObjects(3000);
  const [a, b, c] = [Buffer.alloc(1000, 'a'), Buffer.alloc(1000, 'b'), Buffer.alloc(1000, 'c')];
  const [first, second] = [await taken(memory, a), await taken(memory, b), await taken(memory, c)];
  assert.ok(memory.get(first)?.equals(a));
  await taken(memory, Buffer.alloc(900, 'd'));
  assert.equal(memory.get(second), undefined);
  assert.ok(memory.get(first)?.equals(a));
  assert.equal(memory.bytes, 2900);
  memory.keepOnly((sha256) => sha256 === first.sha256);
  assert.equal(memory.bytes, 1000);
  memory.forget(first.sha256);
  memory.forget(first.sha256);
  assert.equal(memory.bytes, 0);
});

test('a long file, a shorter one than it was, and one with other octets are not taken', async () => {
  const memory = new MemoryObjects(10 * cacheMemoryObjectBytesMax);
  const good = Buffer.alloc(1000, 'good');
  assert.equal((await taken(memory, Buffer.alloc(cacheMemoryObjectBytesMax + 1))).isTaken, false);
  assert.equal((await taken(memory, good.subarray(1), good)).isTaken, false);
  assert.equal((await taken(memory, Buffer.alloc(1000, 'evil'), good)).isTaken, false);
  assert.equal(memory.bytes, 0);
  assert.equal((await taken(memory, Buffer.alloc(cacheMemoryObjectBytesMax))).isTaken, true);
  assert.equal((await taken(new MemoryObjects(0), good)).isTaken, false);
});

test('a small archive comes from memory, and is fetched again once a look found its file gone', () =>
  withTemporaryDirectory(async (directory) => {
    const limits = { ...defaultLimits, cacheLookIntervalMs: 20 };
    await using test = await openTestCache(join(directory, 'cache'), { limits });
    const octets = Buffer.alloc(5000, 'small');
    const origin = scriptedOrigin(() => ({ octets }));
    const asked = { promised: promiseOf(octets) };
    assert.deepEqual((await fetchBy(test.cache, origin, asked)).sources, ['fetched']);
    await waitUntil('it is stored', () => test.counts.get('stored') === 1);
    const part = await fetchBy(test.cache, origin, { ...asked, range: 'bytes=1-3' });
    assert.deepEqual([part.sources, part.client.body.toString()], [['hit'], 'mal']);
    for await (const { path } of test.folder.files()) await rm(path);
    await waitUntil('it is fetched again', async () => {
      const { sources, client } = await fetchBy(test.cache, origin, asked);
      assert.ok(client.body.equals(octets));
      return sources.join(' ') === 'fetched';
    });
  }));
