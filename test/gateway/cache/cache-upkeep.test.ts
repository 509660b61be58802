import assert from 'node:assert/strict';
import { rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { cacheStats, pruneCache, verifyCache } from '../../../src/gateway/cache/cache-upkeep.ts';
import { waitUntil } from '../../support/program.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { openTestCache, type TestCache } from '../support/cache-scene.ts';
import { fetchBy, promiseOf, scriptedOrigin } from '../support/scripted-origin.ts';

const octetsOf = (path: string): Buffer => Buffer.alloc(10_000, path);
const reading = { signal: new AbortController().signal, onRead: () => undefined };

async function filled(directory: string): Promise<TestCache> {
  const test = await openTestCache(join(directory, 'cache'));
  const origin = scriptedOrigin((path) => ({ octets: octetsOf(path) }));
  for (const path of ['/a', '/b', '/c'])
    await fetchBy(test.cache, origin, { path, promised: promiseOf(octetsOf(path)) });
  await waitUntil('all are stored', () => test.counts.get('stored') === 3);
  return test;
}

test('what is counted is what is there', () =>
  withTemporaryDirectory(async (directory) => {
    await using test = await filled(directory);
    const { archives, bytes, registries } = await cacheStats(test.folder);
    assert.deepEqual([archives, bytes], [3, 3 * (12_288 + 4096)]);
    assert.deepEqual([...registries], [['npm', { archives: 3, bytes: 30_000 }]]);
  }));

test('what is damaged is found and goes, and with it what leads to it; the rest stays', () =>
  withTemporaryDirectory(async (directory) => {
    await using test = await filled(directory);
    const files = await Array.fromAsync(test.folder.files());
    const [changed, removed] = files.filter(({ kind }) => kind === 'object');
    await writeFile(changed?.path ?? '', octetsOf('/x'));
    await rm(removed?.path ?? '');
    const report = await verifyCache(test.folder, reading);
    assert.deepEqual([report.archives, report.left, report.damaged.length], [1, 1, 1]);
    assert.match(report.damaged[0] ?? '', /^npm \/[abc]$/);
    assert.deepEqual((await verifyCache(test.folder, reading)).damaged, []);
    assert.equal((await Array.fromAsync(test.folder.files())).length, 2);
  }));

test('what was not used since a time goes', () =>
  withTemporaryDirectory(async (directory) => {
    await using test = await filled(directory);
    const [old] = await Array.fromAsync(test.folder.files());
    await utimes(old?.path ?? '', 1000, 1000);
    assert.equal(await pruneCache(test.folder, 2_000_000), 1);
    assert.equal(await pruneCache(test.folder, Infinity), 5);
    assert.deepEqual(await Array.fromAsync(test.folder.files()), []);
  }));
