// Whether what is installed is what package-lock.json names is found out by its archives.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';

import {
  checkPackages,
  lockedPackages,
  packageFolders,
  withDependencies,
} from '../../../scripts/release/locked-packages.ts';
import { mustRun } from '../../support/command.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const files = {
  'package.json': '{"name":"@a/one"}',
  'lib/index.js': 'export const one = 1;\n',
  LICENSE: 'MIT',
};

/** A checkout with one package installed, and a stand-in for npm that packs it as the registry has it. */
async function checkout(root: string): Promise<string> {
  const source = join(root, 'source', 'package');
  const put = (path: string, text: string): void => {
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, text);
  };
  for (const [name, text] of Object.entries(files)) put(join(source, name), text);
  const archive = join(root, 'a-one-1.0.0.tgz');
  await mustRun('tar', ['-czf', archive, '-C', join(root, 'source'), 'package']);
  const integrity = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
  const folder = 'node_modules/@a/one';
  put(
    join(root, 'package-lock.json'),
    JSON.stringify({ packages: { [folder]: { version: '1.0.0', integrity } } }),
  );
  cpSync(source, join(root, folder), { recursive: true });
  put(join(root, folder, 'node_modules/two/index.js'), 'of another package');
  put(join(root, 'tools/npm'), `#!/bin/sh\nfor folder do :; done\ncp ${archive} "$folder"\n`);
  chmodSync(join(root, 'tools/npm'), 0o755);
  return folder;
}

test('one octet that was changed, a file that was added and one that was taken away are named, and another archive too', async () => {
  await using directory = await temporaryDirectory();
  const root = directory.path;
  const folder = await checkout(root);
  const [one] = lockedPackages(root, [folder]);
  assert.ok(one !== undefined);
  assert.deepEqual([one.name, one.version], ['@a/one', '1.0.0']);
  const check = (changed = one, path = 'node_modules/@a/one/LICENSE'): void =>
    checkPackages(root, { packages: [changed], programs: [{ path, package: one, file: 'LICENSE' }] }, root);
  const at = (name: string): string => join(root, folder, name);
  const path = process.env['PATH'] ?? '';
  process.env['PATH'] = `${join(root, 'tools')}${delimiter}${path}`;
  try {
    check();
    const bytes = readFileSync(at('lib/index.js'));
    bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20);
    writeFileSync(at('lib/index.js'), bytes);
    assert.throws(() => check(), /node_modules\/@a\/one\/lib\/index\.js was changed/);
    writeFileSync(at('lib/index.js'), files['lib/index.js']);
    writeFileSync(at('lib/package.json'), '{"type":"module"}');
    assert.throws(() => check(), /one\/lib\/package\.json is not in the package/);
    rmSync(at('lib/package.json'));
    rmSync(at('LICENSE'));
    assert.throws(() => check(), /one\/LICENSE is missing/);
    writeFileSync(at('LICENSE'), files.LICENSE);
    assert.throws(() => check(one, `${folder}/package.json`), /one\/package\.json was changed/);
    const other = { ...one, integrity: `sha512-${'A'.repeat(86)}==` };
    assert.throws(() => check(other), /@a\/one@1\.0\.0 of the registry is not the one of package-lock\.json/);
    check();
  } finally {
    process.env['PATH'] = path;
  }
});

test('files of packages are told from ours, and what package-lock.json has no digest of is refused', async () => {
  const sources = [
    'src/a.ts',
    'node_modules/@a/b/x.js',
    'node_modules/@a/b/y.js',
    'node_modules/c/node_modules/d/z.js',
  ];
  assert.deepEqual(packageFolders(sources), ['node_modules/@a/b', 'node_modules/c/node_modules/d']);
  await using directory = await temporaryDirectory();
  const folder = await checkout(directory.path);
  assert.throws(
    () => lockedPackages(directory.path, [folder, 'node_modules/other']),
    /no digest of node_modules\/other/,
  );
});

test('what a package needs is found as Node finds it, and what is optional may be away', async () => {
  await using directory = await temporaryDirectory();
  const put = (folder: string, manifest: object): void => {
    mkdirSync(join(directory.path, folder), { recursive: true });
    writeFileSync(join(directory.path, folder, 'package.json'), JSON.stringify(manifest));
  };
  put('node_modules/a', { dependencies: { b: '1', c: '1' }, optionalDependencies: { away: '1' } });
  put('node_modules/a/node_modules/b', { dependencies: { c: '1', a: '1' } });
  put('node_modules/b', {});
  put('node_modules/c', {});
  assert.deepEqual(withDependencies(directory.path, 'node_modules/a'), [
    'node_modules/a',
    'node_modules/a/node_modules/b',
    'node_modules/c',
  ]);
  put('node_modules/c', { dependencies: { away: '1' } });
  assert.throws(() => withDependencies(directory.path, 'node_modules/a'), /c needs away/);
});
