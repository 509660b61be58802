import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PlainFolder } from '../../src/system/plain-folder.ts';
import { removeTree } from '../../src/system/remove-tree.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';

const nobody = 65534;
const isRoot = process.geteuid?.() === 0;

/** `tree` with a file, a folder and links, and `precious`, to which they lead. */
async function withTree(use: (directory: string) => Promise<void>): Promise<void> {
  await withTemporaryDirectory(async (directory) => {
    for (const folder of ['precious', 'tree', 'tree/inside']) mkdirSync(join(directory, folder));
    for (const file of ['precious/file', 'tree/file', 'tree/inside/file'])
      writeFileSync(join(directory, file), 'x');
    symlinkSync(join(directory, 'precious'), join(directory, 'tree/link'));
    symlinkSync(join(directory, 'precious/file'), join(directory, 'tree/inside/link'));
    await use(directory);
  });
}

test('a tree goes with its links, and what they lead to stays', async () => {
  await withTree(async (directory) => {
    await removeTree(join(directory, 'tree'));
    await removeTree(join(directory, 'tree'));
    assert.deepEqual(readdirSync(directory), ['precious']);
    assert.deepEqual(readdirSync(join(directory, 'precious')), ['file']);
  });
});

test('a link in the place of the tree goes alone', async () => {
  await withTree(async (directory) => {
    symlinkSync('precious', join(directory, 'other'));
    await removeTree(join(directory, 'other'));
    assert.deepEqual(readdirSync(directory).sort(), ['precious', 'tree']);
    assert.deepEqual(readdirSync(join(directory, 'precious')), ['file']);
  });
});

test('what is done in a folder is done there, though a link has taken its place', async () => {
  await withTree(async (directory) => {
    await using tree = await PlainFolder.open(join(directory, 'tree'));
    await using inside = await tree.openFolder('inside');
    assert.ok(inside !== undefined);
    renameSync(join(directory, 'tree/inside'), join(directory, 'moved'));
    symlinkSync(join(directory, 'precious'), join(directory, 'tree/inside'));
    assert.deepEqual((await readdir(inside.entry('.'))).sort(), ['file', 'link']);
    await unlink(inside.entry('file'));
    assert.deepEqual(readdirSync(join(directory, 'moved')), ['link']);
    assert.deepEqual(readdirSync(join(directory, 'precious')), ['file']);
    assert.equal(await tree.openFolder('inside'), undefined);
    await assert.rejects(PlainFolder.open(join(directory, 'tree/inside')), { code: /^(?:ENOTDIR|ELOOP)$/ });
  });
});

test('a tree that is deeper than any of ours is left', async () => {
  await withTemporaryDirectory(async (directory) => {
    const deep = join(directory, 'tree', ...Array.from({ length: 30 }, () => 'x'));
    mkdirSync(deep, { recursive: true });
    await assert.rejects(removeTree(join(directory, 'tree')), /deeper/);
    assert.deepEqual(readdirSync(directory), ['tree']);
  });
});

test(
  'a tree goes below a folder that its user may not list',
  { skip: isRoot ? false : 'needs root' },
  async () => {
    await withTemporaryDirectory(async (directory) => {
      // As some machines have /home.
      for (const path of [directory, join(directory, 'closed')]) {
        if (path !== directory) mkdirSync(path);
        chmodSync(path, 0o711);
      }
      const own = join(directory, 'closed', 'own');
      mkdirSync(join(own, 'tree/inside'), { recursive: true });
      for (const path of [own, join(own, 'tree'), join(own, 'tree/inside')]) chownSync(path, nobody, nobody);
      const module = fileURLToPath(new URL('../../src/system/remove-tree.ts', import.meta.url));
      const script = `const { removeTree } = await import(${JSON.stringify(module)});
      await removeTree(${JSON.stringify(join(own, 'tree'))});`;
      execFileSync(process.execPath, ['--input-type=module', '-e', script], { uid: nobody, gid: nobody });
      assert.deepEqual(readdirSync(own), []);
    });
  },
);
