// The built documentation site in a real browser: `npm run test:site` builds it and runs this.

import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { extname, join, normalize } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { axeFindings, openBrowser, openPage, type WatchedPage } from '../console/support/browser.ts';

const folder = fileURLToPath(new URL('../../dist/site', import.meta.url));
const pictures = process.env['UPSTREAMPROXY_SITE_PICTURES'];

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.json': 'application/json',
  '.woff2': 'font/woff2',
};

/** A static server as anybody has one: files, and nothing else. */
const server = createServer((request, response) => {
  const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://site').pathname));
  const file = join(folder, path.endsWith('/') ? `${path}index.html` : path);
  if (!file.startsWith(folder) || !existsSync(file)) return response.writeHead(404).end();
  response.writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream' });
  return response.end(readFileSync(file));
});

let browser: Browser;
let origin = '';

before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server that listens on a port has an AddressInfo.
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  browser = await openBrowser();
});
after(async () => {
  await browser.close();
  server.closeAllConnections();
  server.close();
});

const usualPageBytes = 80_000;

const htmlFiles = globSync('**/*.html', { cwd: folder });

/** Links of a page to others of the site, and the names of its places. */
function partsOf(file: string): { readonly links: readonly string[]; readonly places: ReadonlySet<string> } {
  const html = readFileSync(join(folder, file), 'utf8');
  const links = [...html.matchAll(/<a\b[^>]*? href="([^"]+)"/g)].map(([, href = '']) => href);
  const places = new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id = '']) => id));
  return { links, places };
}

test('every link within the site leads to a page, and to a place that the page has', () => {
  const broken: string[] = [];
  let seen = 0;
  for (const file of htmlFiles) {
    for (const href of partsOf(file).links) {
      if (/^[a-z]+:/.test(href)) continue;
      const target = new URL(href, `http://site/${file}`);
      const path = decodeURIComponent(target.pathname).slice(1);
      seen += 1;
      if (!existsSync(join(folder, path))) broken.push(`${file}: ${href}`);
      else if (target.hash !== '' && path.endsWith('.html')) {
        const { places } = partsOf(path);
        if (!places.has(decodeURIComponent(target.hash.slice(1)))) broken.push(`${file}: ${href}`);
      }
    }
  }
  assert.ok(htmlFiles.length > 60 && seen > 2000, `${htmlFiles.length} pages, ${seen} links`);
  assert.deepEqual(broken, []);
});

test('nothing in the site is fetched from another host', () => {
  const foreign = globSync('**/*.{html,css}', { cwd: folder }).flatMap((file) => {
    const text = readFileSync(join(folder, file), 'utf8');
    const found = text.matchAll(
      /<(?:script|link|img|iframe)\b[^>]*? (?:src|href)="((?:https?:)?\/\/[^"]+)"|url\(["']?((?:https?:)?\/\/[^)]+)\)/g,
    );
    return [...found].map(([, one, other]) => `${file}: ${one ?? other}`);
  });
  assert.deepEqual(foreign, []);
});

async function shot({ page }: WatchedPage, name: string): Promise<void> {
  if (pictures !== undefined) await page.screenshot({ path: join(pictures, `${name}.png`) });
}

describe('in a browser', () => {
  for (const theme of ['light', 'dark'] as const)
    test(`pages can be read in the ${theme}, ask nobody else, and shut nobody out`, async () => {
      const watched = await openPage(browser, origin, { width: 1280, height: 900, theme });
      const { page, faults } = watched;
      for (const path of ['index', 'guides/first-steps', 'reference/errors', 'comparison', 'tour']) {
        await page.goto(`${origin}/${path}.html`);
        await page.locator('main h1').first().waitFor();
        const dark: unknown = await page.evaluate("document.documentElement.classList.contains('dark')");
        assert.equal(dark, theme === 'dark');
        await shot(watched, `${path.replaceAll('/', '-')}-${theme}`);
        assert.deepEqual(await axeFindings(page), [], path);
      }
      assert.deepEqual(faults, []);
      await watched.context.close();
    });

  // axe takes seconds for each of the largest pages, which have the same parts as the others.
  test('no page shuts anybody out, and none asks another host', async () => {
    const watched = await openPage(browser, origin, { width: 1280, height: 900, theme: 'light' });
    const { page, faults } = watched;
    const usual = htmlFiles.filter(
      (one) => one !== '404.html' && statSync(join(folder, one)).size < usualPageBytes,
    );
    assert.ok(usual.length > 30, `${usual.length} pages`);
    for (const file of usual) {
      await page.goto(`${origin}/${file}`);
      await page.locator('main h1').first().waitFor();
      assert.deepEqual(await axeFindings(page), [], file);
    }
    assert.deepEqual(faults, []);
    await watched.context.close();
  });

  test('search finds a page about credentials, and opens it', async () => {
    const watched = await openPage(browser, origin, { width: 1280, height: 900, theme: 'light' });
    const { page, faults } = watched;
    await page.goto(`${origin}/index.html`);
    await page.locator('#local-search button').first().click();
    await page.locator('#localsearch-input').fill('credential');
    const results = page.locator('#localsearch-list a');
    await results.first().waitFor();
    assert.ok((await results.count()) > 3);
    await shot(watched, 'search-light');
    await results
      .filter({ hasText: /credential/i })
      .first()
      .click();
    await page
      .locator('main h1')
      .filter({ hasText: /credential/i })
      .waitFor();
    assert.deepEqual(faults, []);
    await watched.context.close();
  });

  test('a small screen has the whole text', async () => {
    const watched = await openPage(browser, origin, { width: 390, height: 800, theme: 'light' });
    const { page } = watched;
    await page.goto(`${origin}/guides/credentials.html`);
    await page.locator('main h1').first().waitFor();
    const hidden: number = await page.evaluate(
      'document.documentElement.scrollWidth - document.documentElement.clientWidth',
    );
    assert.ok(hidden <= 0, `${hidden} pixels are beyond the edge`);
    await shot(watched, 'small-light');
    await watched.context.close();
  });

  test('a page opened as a file has its style, and its links lead to files', async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`file://${folder}/guides/first-steps.html`);
    const font: string = await page.evaluate("getComputedStyle(document.querySelector('main h1')).fontSize");
    assert.ok(Number.parseFloat(font) >= 28, font);
    await page.locator('main a', { hasText: 'Credentials' }).first().click();
    await page.waitForURL(/guides\/credentials\.html$/);
    await context.close();
  });
});
