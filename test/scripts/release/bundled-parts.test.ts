// What a release says that it is made of: each part with its version and its licence, or no release.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bundledPackages, directPackages, runtimeParts } from '../../../scripts/release/bundled-parts.ts';
import { licenseTexts } from '../../../scripts/release/license-texts.ts';
import { installedNode } from '../../../scripts/release/target-node.ts';

const installed = process.arch === 'x64' || process.arch === 'arm64' ? process.arch : undefined;

test('packages are found by the files that were taken of them, with version, licence and what they use', () => {
  const parts = bundledPackages([
    'src/cli/main.ts',
    'node_modules/pg/lib/index.js',
    'node_modules/pg-types/index.js',
    'node_modules/@bufbuild/protobuf/dist/esm/index.js',
  ]);
  assert.deepEqual(
    parts.map(({ name, purl, license, uses }) => ({
      name,
      purl: purl.replace(/@[^@]+$/, ''),
      license,
      uses: uses.map((other) => other.replace(/@[^@]+$/, '')),
    })),
    [
      {
        name: '@bufbuild/protobuf',
        purl: 'pkg:npm/%40bufbuild/protobuf',
        license: '(Apache-2.0 AND BSD-3-Clause)',
        uses: [],
      },
      { name: 'pg-types', purl: 'pkg:npm/pg-types', license: 'MIT', uses: [] },
      { name: 'pg', purl: 'pkg:npm/pg', license: 'MIT', uses: ['pkg:npm/pg-types'] },
    ],
  );
  assert.deepEqual(directPackages(parts), [parts[0]?.purl, parts[2]?.purl]);
});

test('a licence that stands in the form of old packages is one', () => {
  const [part] = bundledPackages(['node_modules/ssh2/lib/client.js']);
  assert.deepEqual([part?.name, part?.license], ['ssh2', 'MIT']);
});

test('a file that is neither ours nor of a package ends the build', () => {
  assert.throws(() => bundledPackages(['../elsewhere/index.ts']), /neither ours nor of a package/);
});

test(
  'every part of the Node that runs here has a licence that is known, and one that is not ends the build',
  { skip: installed === undefined && 'Node is built in for x64 and arm64' },
  () => {
    const node = installedNode(installed!);
    const parts = runtimeParts(node, process.versions);
    const [whole] = parts;
    assert.deepEqual([whole.name, whole.version], ['node', process.versions.node]);
    for (const name of ['v8', 'openssl', 'uv', 'sqlite'])
      assert.ok(whole.uses.includes(`pkg:generic/${name}@${process.versions[name]}`), name);
    assert.ok(parts.every(({ version, license }) => version !== '' && license !== ''));
    assert.throws(
      () => runtimeParts(node, { ...process.versions, novelty: '1.0.0' }),
      /novelty, a part of Node, does not say its licence/,
    );
    assert.throws(() => runtimeParts(node, { ...process.versions, node: '1.0.0' }), /not those of 1\.0\.0/);
    const text = licenseTexts('our own', [...parts, ...parts]);
    assert.equal(text.split(`node ${process.versions.node} (MIT)`).length, 2, 'each once');
  },
);
