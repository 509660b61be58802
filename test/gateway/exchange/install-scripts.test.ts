// `installScripts: tell`: what the audit says of archives of which clients run something. All of them come.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { openRegistryScene, type RegistryScene, serving } from '../support/registry-scene.ts';

const archive = Buffer.from('an archive');
const sha256 = createHash('sha256').update(archive).digest('hex');
const shasum = createHash('sha1').update(archive).digest('hex');

/** Gets each, and gives what the audit says of it. */
async function toldOf(scene: RegistryScene, targets: readonly string[]): Promise<readonly unknown[]> {
  for (const target of targets) assert.equal((await scene.get(target)).status, 200, target);
  const events = await scene.path.events(targets.length);
  return events.map(({ package: facts }) => facts?.installScripts);
}

const npmFiles = {
  '/x': JSON.stringify({
    versions: {
      '1.0.0': { dist: { shasum }, scripts: { postinstall: 'node x' } },
      '1.1.0': { dist: { shasum } },
      '1.2.0': { dist: { shasum }, hasInstallScript: true },
    },
  }),
  '/x/-/x-1.0.0.tgz': archive,
  '/x/-/x-1.1.0.tgz': archive,
  '/x/-/x-1.2.0.tgz': archive,
  '/x/-/x-2.0.0.tgz': archive,
};
const npmArchives = Object.keys(npmFiles).slice(1);

test('of npm the registry says it, and is asked once', async () => {
  await using scene = await openRegistryScene('registry: npm, installScripts: tell', serving(npmFiles));
  assert.deepEqual(await toldOf(scene, npmArchives), ['yes', 'no', 'yes', 'unknown']);
  assert.equal(scene.asked.filter((one) => one === '/x').length, 1);
});

test('without the key nobody asks, and nothing is said', async () => {
  await using scene = await openRegistryScene('registry: npm', serving(npmFiles));
  assert.deepEqual(await toldOf(scene, npmArchives), [undefined, undefined, undefined, undefined]);
  assert.equal(scene.asked.includes('/x'), false);
});

test('where the registry says nothing of a package, its archives come, and it is not known', async () => {
  const { '/x': _, ...archives } = npmFiles;
  await using scene = await openRegistryScene('registry: npm, installScripts: tell', serving(archives));
  assert.deepEqual(await toldOf(scene, npmArchives.slice(0, 1)), ['unknown']);
});

test('of PyPI sources are built, and wheels are unpacked', async () => {
  const files = { '/files/x-1.0.tar.gz': archive, '/files/x-1.0-py3-none-any.whl': archive };
  const beside = { '/files/x-1.0-py3-none-any.whl.metadata': archive };
  await using scene = await openRegistryScene(
    'registry: pypi, installScripts: tell',
    serving({ ...files, ...beside }),
  );
  const targets = [...Object.keys(files), ...Object.keys(beside)];
  assert.deepEqual(await toldOf(scene, targets), ['yes', 'no', undefined]);
});

test('of cargo those are known that link a library', async () => {
  const line = (vers: string, links: string | null): string =>
    `${JSON.stringify({ name: 'serde', vers, cksum: sha256, links })}\n`;
  const files = {
    '/se/rd/serde': line('1.0.0', 'z') + line('1.1.0', null),
    '/crates/serde/serde-1.0.0.crate': archive,
    '/crates/serde/serde-1.1.0.crate': archive,
  };
  await using scene = await openRegistryScene('registry: cargo, installScripts: tell', serving(files));
  assert.deepEqual(await toldOf(scene, Object.keys(files).slice(1)), ['yes', 'unknown']);
});
