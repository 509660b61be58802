// Pages of the site: every document is one, and links lead where they led.

import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { relativeText } from '../../../scripts/site/relative-addresses.ts';
import { pageText, sidebar, sitePages } from '../../../scripts/site/site-pages.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

test('every document is a page, and the side of the site lists those of the index', () => {
  const sources = new Set(sitePages(root).map(({ source }) => source));
  for (const file of globSync('docs/**/*.md', { cwd: root })) assert.ok(sources.has(file), file);
  assert.ok(sources.has('SECURITY.md'));
  const pages = new Set(sitePages(root).map(({ page }) => `/${page.replace(/\.md$/, '')}`));
  const items = sidebar(root).flatMap(({ items }) => items);
  assert.ok(items.length > 60);
  for (const { link } of items) assert.ok(pages.has(link), link);
});

test('all documents of the project can be made into pages', () => {
  const pages = sitePages(root);
  for (const page of pages) assert.match(pageText(root, page, pages), /^# /m, page.source);
});

test('links lead to pages, to pictures of the site, or name a file of the source', async () => {
  await using directory = await temporaryDirectory();
  const put = async (file: string, text: string): Promise<void> => {
    await mkdir(dirname(join(directory.path, file)), { recursive: true });
    await writeFile(join(directory.path, file), text);
  };
  await put('SECURITY.md', '# Security\n');
  await put('src/a.ts', '');
  await put('docs/README.md', '# Documentation\n');
  await put('docs/images/a.png', '');
  const lines = [
    '# A guide',
    '<!-- within 5 s -->',
    'See [security](../../SECURITY.md#the-attacker), [the list](../README.md), [elsewhere](https://example.com/x) and [below](#below).',
    'The [`a`](../../src/a.ts) and [src/a.ts](../../src/a.ts).',
    '![A picture of it](../images/a.png)',
    '```text',
    '[kept](../../src/a.ts) <!-- kept -->',
    '```',
  ];
  await put('docs/guides/a.md', lines.join('\n'));
  const pages = sitePages(directory.path);
  const page = pages.find(({ source }) => source === 'docs/guides/a.md')!;
  assert.deepEqual(pageText(directory.path, page, pages).split('\n'), [
    '# A guide',
    '',
    'See [security](../project/security.md#the-attacker), [the list](../documents.md), [elsewhere](https://example.com/x) and [below](#below).',
    'The `a` (`src/a.ts`) and `src/a.ts`.',
    '![A picture of it](/images/a.png)',
    '```text',
    '[kept](../../src/a.ts) <!-- kept -->',
    '```',
  ]);
  await put('docs/guides/a.md', '[gone](gone.md)');
  assert.throws(() => pageText(directory.path, page, pages), /docs\/guides\/a\.md: gone\.md is not there/);
  await put('docs/guides/b.png', '');
  await put('docs/guides/a.md', '![A picture beside it](b.png)');
  assert.throws(() => pageText(directory.path, page, pages), /b\.png is no picture in docs\/images/);
});

test('addresses of a page are named from where the page is, and those of other hosts stay', () => {
  const html =
    '<a href="/1.2.0/"><a href="/1.2.0/a.html#b"><img src="/1.2.0/images/a.png"><a href="/other/"><a href="https://x.test/"><a href="//x.test/"><a href="#b">';
  assert.equal(
    relativeText(html, '../', '/1.2.0/'),
    '<a href="../index.html"><a href="../a.html#b"><img src="../images/a.png"><a href="/other/"><a href="https://x.test/"><a href="//x.test/"><a href="#b">',
  );
});
