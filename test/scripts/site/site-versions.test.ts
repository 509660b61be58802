// Versions of the site beside each other: their order, the newest, and what leads to it.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import {
  compareVersions,
  isVersion,
  readVersions,
  writeVersions,
} from '../../../scripts/site/site-versions.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

test('versions stand in the order of Semantic Versioning, newest first', () => {
  // The example of §11, and numbers that are no text.
  const ordered = [
    '10.0.0',
    '2.0.0',
    '1.10.0',
    '1.9.0',
    '1.0.0',
    '1.0.0-rc.1',
    '1.0.0-beta.11',
    '1.0.0-beta.2',
    '1.0.0-beta',
    '1.0.0-alpha.beta',
    '1.0.0-alpha.1',
    '1.0.0-alpha',
  ];
  assert.deepEqual(ordered.toReversed().toSorted(compareVersions), ordered);
  for (const [at, one] of ordered.entries())
    for (const [other, beside] of ordered.entries())
      assert.equal(Math.sign(compareVersions(one, beside)), Math.sign(at - other), `${one} ${beside}`);
  for (const text of ['latest', '1.2', '1.2.3.4', '../1.2.3', '1.2.3/', 'v1.2.3', ''])
    assert.ok(!isVersion(text), text);
});

test('an earlier version that is built again stays behind the newest, and one that is gone is not named', async () => {
  await using directory = await temporaryDirectory();
  const put = async (file: string, text: string): Promise<void> => {
    await mkdir(dirname(join(directory.path, file)), { recursive: true });
    await writeFile(join(directory.path, file), text);
  };
  assert.throws(() => readVersions(directory.path), /no version/);
  await put('0.2.0/guides/a.html', 'newer');
  await put('0.2.0/index.html', 'newer');
  await put('latest/gone.html', 'of an earlier build');
  await put('0.1.0/old.html', 'older');
  await put('0.3.0-rc.1/index.html', 'not released');
  assert.deepEqual(writeVersions(directory.path), {
    latest: '0.2.0',
    versions: ['0.3.0-rc.1', '0.2.0', '0.1.0'],
  });
  const list: unknown = JSON.parse(await readFile(join(directory.path, 'versions.json'), 'utf8'));
  assert.deepEqual(list, readVersions(directory.path));
  assert.deepEqual((await readdir(join(directory.path, 'latest'), { recursive: true })).toSorted(), [
    'guides',
    'guides/a.html',
    'index.html',
  ]);
  assert.match(
    await readFile(join(directory.path, 'latest/guides/a.html'), 'utf8'),
    /location\.replace\("\.\.\/\.\.\/0\.2\.0\/guides\/a\.html" \+ location\.hash\)/,
  );
  assert.match(await readFile(join(directory.path, 'index.html'), 'utf8'), /href="0\.2\.0\/index\.html"/);
});
