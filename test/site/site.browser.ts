// The built documentation site in a real browser, as the package serves it: `npm run test:site` builds it and runs this.

import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { extname, join, normalize } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { readVersions } from '../../scripts/site/site-versions.ts';
import { axeFindings, openBrowser, openPage, type WatchedPage } from '../console/support/browser.ts';
import { mustRun } from '../support/command.ts';
import { type DocsProcess, startDocs } from '../support/docs-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const site = join(root, 'dist/site');
const { latest: version } = readVersions(site);
const folder = join(site, version);
const pictures = process.env['UPSTREAMPROXY_SITE_PICTURES'];

let browser: Browser;
let docs: DocsProcess;
let origin = '';

before(async () => {
  docs = await startDocs(['--from', join(root, 'site/documents.tar.zst')]);
  origin = docs.origin;
  // No name leads anywhere: as on a machine without a network.
  browser = await openBrowser(['--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1']);
});
after(async () => {
  await browser.close();
  await docs[Symbol.asyncDispose]();
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
        await page.goto(`${origin}/${version}/${path}.html`);
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
      await page.goto(`${origin}/${version}/${file}`);
      await page.locator('main h1').first().waitFor();
      assert.deepEqual(await axeFindings(page), [], file);
    }
    assert.deepEqual(faults, []);
    await watched.context.close();
  });

  test('without a network the search of the package finds a page about credentials, and opens it', async () => {
    const watched = await openPage(browser, origin, { width: 1280, height: 900, theme: 'light' });
    const { page, faults } = watched;
    await page.goto(`${origin}/`);
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
    // The first result may be a part of a page about something else.
    await page
      .locator('main :is(h1, h2, h3)')
      .filter({ hasText: /credential/i })
      .first()
      .waitFor();
    assert.deepEqual(faults, []);
    await watched.context.close();
  });

  test('a small screen has the whole text', async () => {
    const watched = await openPage(browser, origin, { width: 390, height: 800, theme: 'light' });
    const { page } = watched;
    await page.goto(`${origin}/${version}/guides/credentials.html`);
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

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.json': 'application/json',
};

describe('several versions beside each other, on a static server as anybody has one', () => {
  const earlier = '0.0.9';
  let place = '';
  let closing: AsyncDisposableStack;
  before(async () => {
    await using stack = new AsyncDisposableStack();
    const directory = stack.use(await temporaryDirectory());
    const all = join(directory.path, 'docs');
    // As releases build each version into the folder that has the others.
    const build = ['scripts/build-site.ts', '--out', all, '--at', '/docs/'];
    for (const named of [earlier, version])
      await mustRun(process.execPath, [...build, '--named', named], { cwd: root, timeoutMs: 300_000 });
    const server = createServer((request, response) => {
      const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://site').pathname));
      const file = join(directory.path, path.endsWith('/') ? `${path}index.html` : path);
      if (!file.startsWith(directory.path) || !existsSync(file)) return response.writeHead(404).end();
      response.writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream' });
      return response.end(readFileSync(file));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    stack.defer(() => {
      server.closeAllConnections();
      server.close();
    });
    // A server that listens on a port has an AddressInfo.
    place = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    closing = stack.move();
  });
  after(async () => {
    await closing[Symbol.asyncDispose]();
  });

  test('the switch leads to the same page of the other version and back, and an old page names the newest', async () => {
    const watched = await openPage(browser, place, { width: 1440, height: 900, theme: 'light' });
    const { page, faults } = watched;
    await page.goto(`${place}/docs/`);
    await page.waitForURL(`${place}/docs/${version}/index.html`);
    await page.goto(`${place}/docs/latest/reference/errors.html#policy_denied`);
    await page.waitForURL(`${place}/docs/${version}/reference/errors.html#policy_denied`);
    const choice = page.locator('.version-switch.bar select');
    await choice.locator('option').nth(1).waitFor({ state: 'attached' });
    assert.deepEqual(await choice.locator('option').allInnerTexts(), [`${version} (newest)`, earlier]);
    await choice.selectOption(earlier);
    await page.waitForURL(`${place}/docs/${earlier}/reference/errors.html#policy_denied`);
    await page.getByText(`This page is of version ${earlier}.`).waitFor();
    await shot(watched, 'older-version');
    // The list of pages has its whole width, and the switch is within the window.
    const [side, box] = [await page.locator('.VPSidebar').boundingBox(), await choice.boundingBox()];
    assert.ok((side?.width ?? 0) >= 250, JSON.stringify(side));
    assert.ok((box?.x ?? 0) + (box?.width ?? 0) <= 1440 - 16, JSON.stringify(box));
    assert.deepEqual(await axeFindings(page), []);
    // The theme leads to the pages of its own version.
    await page.locator('.VPSidebar a', { hasText: 'From a first run' }).first().click();
    await page.waitForURL(`${place}/docs/${earlier}/guides/first-steps.html`);
    await page.locator('.older-version a').click();
    await page.waitForURL(`${place}/docs/${version}/index.html`);
    assert.equal(await page.locator('.older-version').count(), 0);
    assert.deepEqual(faults, []);
    await watched.context.close();
  });

  test('a page that the other version does not have leads to its front page', async () => {
    const watched = await openPage(browser, place, { width: 390, height: 800, theme: 'dark' });
    const { page } = watched;
    await page.goto(`${place}/docs/${version}/faq.html`);
    await page.route(`**/docs/${earlier}/faq.html`, (route) => route.fulfill({ status: 404 }));
    // On a small screen the switch is in the menu.
    await page.getByRole('button', { name: 'mobile navigation' }).click();
    await page.locator('.version-switch.screen select').selectOption(earlier);
    await page.waitForURL(`${place}/docs/${earlier}/index.html`);
    await shot(watched, 'older-version-small-dark');
    await watched.context.close();
  });
});
