// What the npm package has of the documents: none of their links leads out of it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

import { runCommand } from './support/command.ts';

const root = join(import.meta.dirname, '..');

test('every link of a packaged document leads to a file of the package', async () => {
  const { stdout } = await runCommand('git', ['ls-files'], { cwd: root });
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: string[] };
  // npm adds these by itself.
  const always: ReadonlySet<string> = new Set(['README.md', 'LICENSE', 'package.json']);
  const isPackaged = (path: string): boolean =>
    always.has(path) ||
    manifest.files.some((entry) => {
      if (!entry.includes('*')) return path === entry || path.startsWith(`${entry}/`);
      const [folder = '', ending = ''] = entry.split('*');
      return path.startsWith(folder) && path.endsWith(ending);
    });
  // A tour of the source leads whoever has the source.
  const documents = stdout
    .split('\n')
    .filter((path) => path.endsWith('.md') && isPackaged(path) && path !== 'docs/tour.md');
  assert.ok(documents.length > 20, 'documents are seen');
  const dead = documents.flatMap((path) =>
    [...readFileSync(join(root, path), 'utf8').matchAll(/\]\(([^)#\s:]+)(?:#[^)\s]*)?\)/g)]
      .map(([, link = '']) => normalize(join(dirname(path), link)))
      .filter((target) => !isPackaged(target) && !documents.some((one) => one.startsWith(`${target}/`)))
      .map((target) => `${path}: ${target}`),
  );
  assert.deepEqual(dead, []);
});
