// Documents are found: each is listed, and no link leads nowhere.

import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { checkFiles, proseFiles } from '../scripts/prose/check-files.ts';
import { limitTable } from '../src/protocol/limits.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

/** Links to files, without those to sites. The path of one within the page is empty. */
function links(text: string): readonly { readonly path: string; readonly section: string | undefined }[] {
  return [...text.matchAll(/\]\((?!https?:)([^)\s#]*)(?:#([^)\s]+))?\)/g)].map(([, path = '', section]) => {
    return { path, section };
  });
}

/** As sites for code make the name of a heading. */
function sectionsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^a-z0-9 _-]/g, '')
      .replaceAll(' ', '-'),
  );
}

test('every document of docs is listed in its README', () => {
  const listed = new Set(links(read('docs/README.md')).map(({ path }) => `docs/${path}`));
  const files = globSync('docs/**/*.md', { cwd: root, exclude: ['docs/README.md'] }).toSorted();
  assert.ok(files.length > 20);
  assert.deepEqual(
    files.filter((file) => !listed.has(file)),
    [],
    'add a line to docs/README.md',
  );
});

test('links in documents lead to files, and to headings that they have', () => {
  const broken: string[] = [];
  let seen = 0;
  for (const file of globSync(['*.md', 'docs/**/*.md'], { cwd: root })) {
    for (const { path, section } of links(read(file))) {
      seen += 1;
      const target = path === '' ? file : join(dirname(file), path);
      if (!existsSync(join(root, target))) broken.push(`${file}: ${path}`);
      else if (section !== undefined && !sectionsOf(read(target)).includes(section))
        broken.push(`${file}: ${path}#${section}`);
    }
  }
  assert.ok(seen > 100, `${seen} links were seen`);
  assert.deepEqual(broken, []);
});

test('documents, and what commands and errors say, keep the rules for prose', () => {
  assert.deepEqual(
    checkFiles(root, proseFiles(root)),
    [],
    'write what each line says; CONTRIBUTING.md has the rules, `node scripts/check-prose.ts FILE…` looks at one file',
  );
});

test('the tour of the source names what is in the files that it leads to', () => {
  const named = [...read('docs/tour.md').matchAll(/\[`([^`\]]+)`\]\(\.\.\/([^)]+)\)/g)];
  assert.ok(named.length > 20, `${named.length} names were seen`);
  const missing = named.filter(
    ([, name = '', file = '']) =>
      !file.endsWith(name) &&
      !new RegExp(`\\b(?:function|class|interface|const|type) ${name}\\b`).test(read(file)),
  );
  assert.deepEqual(
    missing.map(([all]) => all),
    [],
    'the name was moved: lead docs/tour.md to where it is now',
  );
});

test('every row of budgets.md names limits that are there, and a test that is there', () => {
  const rows = read('docs/reference/budgets.md')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| what '));
  assert.ok(rows.length > 20);
  for (const row of rows) {
    const [what = '', , by = '', proof = ''] = row.slice(2, -2).split(' | ');
    const limits = [...by.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
    assert.ok(limits.length > 0, `${what}: names no limit`);
    for (const name of limits) assert.ok(Object.hasOwn(limitTable, name), `${what}: ${name} is no limit`);
    const [, name = '', file = ''] = /^`([^`]+)` in (test\/\S+)$/.exec(proof) ?? [];
    assert.ok(name !== '' && existsSync(join(root, file)), `${what}: ${proof} is no test`);
    assert.ok(
      testNamesOf(read(file)).some((one) => one.includes(name)),
      `${what}: ${file} has no test "${name}"`,
    );
  }
});

/** As they are written, with what a table fills in. */
function testNamesOf(source: string): readonly string[] {
  return [...source.matchAll(/\btest\(\s*(['`])(.*?)\1,/g)].map(([, , name = '']) => name);
}
