// The editor of the policy in a real browser: completion, problems as they are written, the way out by the keyboard, and a rule that is handed to it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { axeFindings, goTo, logIn, openBrowser, openPage, picture } from '../support/browser.ts';
import { type ConsoleStage, openConsoleStage } from '../support/stage.ts';

const desk = { width: 1440, height: 900, theme: 'light' } as const;
const draftPage = '/policy?pane=draft';

let stage: ConsoleStage;
let browser: Browser;

before(async () => {
  stage = await openConsoleStage();
  await stage.request({ host: 'api.example.com', path: '/v1/items', method: 'POST', body: '{}' });
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await stage?.[Symbol.asyncDispose]();
});

async function focused(page: Page): Promise<string> {
  return await page.evaluate(
    "(document.activeElement?.shadowRoot?.activeElement ?? document.activeElement)?.className ?? ''",
  );
}

test('keys and values are completed, problems stand where they are, and Esc and Tab lead out', async () => {
  const { page, context, faults } = await openPage(browser, stage.origin, desk);
  await logIn(page, stage.origin, await stage.token('viewer'), draftPage);
  await page.locator('.cm-content').click();
  await page.keyboard.type('rul');
  const list = page.getByRole('listbox');
  await list.getByRole('option', { name: 'rules' }).click();
  // What only a list of maps can follow opens the next line, and offers what can stand there.
  await list.getByRole('option', { name: 'name' }).waitFor();
  await page.keyboard.type('name: first');
  await page.keyboard.press('Enter');
  await page.keyboard.type('sch');
  // The list takes no key in the moment in which it appears.
  await page.getByText('https by default').waitFor();
  await picture(page, 'editor-completion');
  await list.getByRole('option', { name: 'scheme' }).click();
  await page.keyboard.press('Control+Space');
  await list.getByRole('option', { name: 'https' }).waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.type('https');
  await page.keyboard.press('Enter');
  await page.keyboard.type('inject: ');
  await page.keyboard.press('Control+Space');
  await list.getByRole('option', { name: 'api-token' }).click();
  await page.keyboard.press('Enter');
  // Keys of the console are letters here: 2, t, ? and / write, and lead nowhere.
  await page.keyboard.type('colour: 2t?/');
  await page.getByText('It cannot be taken.').waitFor();
  await page.locator('.cm-lint-marker-error').first().waitFor();
  assert.equal(new URL(page.url()).pathname, '/policy');
  await picture(page, 'editor-problems');
  assert.deepEqual(await axeFindings(page), []);
  await page.keyboard.press('Tab');
  assert.match(await focused(page), /cm-content/, 'Tab indents');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Tab');
  assert.doesNotMatch(await focused(page), /cm-/);
  await page.getByRole('button', { name: 'line 5' }).first().click();
  assert.match(await focused(page), /cm-content/);
  // What is written stays while another view is looked at.
  await goTo(page, '/overview');
  await goTo(page, draftPage);
  await page.locator('.cm-content').getByText('colour').waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});

test('it is loaded where it is shown, and without it a plain field serves', async () => {
  const { page, context } = await openPage(browser, stage.origin, { ...desk, theme: 'dark' });
  const loaded: string[] = [];
  page.on('request', (request) => loaded.push(new URL(request.url()).pathname));
  await page.route('**/policy-editor-*.js', (route) => route.abort());
  await logIn(page, stage.origin, await stage.token('viewer'));
  await page.getByText('/v1/items').first().waitFor();
  assert.equal(loaded.filter((path) => path.includes('policy-editor')).length, 0);
  const scripts = loaded.filter((path) => path.startsWith('/assets/'));
  const sizes = await Promise.all([...new Set(scripts)].map(sentBytes));
  const bytes = sizes.reduce((sum, one) => sum + one, 0);
  assert.ok(bytes > 50_000 && bytes < 200_000, `${bytes} bytes for the first view`);
  await goTo(page, draftPage);
  const plain = page.locator('textarea[aria-label="A policy file"]:not([readonly])');
  await plain.fill('rules: 7\n');
  await page.getByText('It cannot be taken.').waitFor();
  await context.close();
});

async function sentBytes(path: string): Promise<number> {
  const response = await fetch(`${stage.origin}${path}`, { headers: { 'accept-encoding': 'gzip' } });
  await response.body?.cancel();
  return Number(response.headers.get('content-length'));
}

test('a rule for what was refused is handed to the draft, behind the policy that is in force', async () => {
  for (const theme of ['light', 'dark'] as const) {
    const { page, context, faults } = await openPage(browser, stage.origin, { ...desk, theme });
    await logIn(page, stage.origin, await stage.token('viewer'), '/live?q=verdict:deny');
    await page.getByRole('row').filter({ hasText: '/v1/items' }).first().click();
    await page.getByRole('button', { name: /^Allow this…/ }).click();
    await page.getByRole('button', { name: 'Add to the draft…' }).click();
    await page.locator('.cm-content').getByText('api-example-com-post').waitFor();
    await page.getByText(/It can be taken: 7 rules/).waitFor();
    assert.match(await focused(page), /cm-content/);
    await picture(page, `editor-handed-${theme}`);
    assert.deepEqual(await axeFindings(page), []);
    assert.deepEqual(faults, []);
    await context.close();
  }
});

test('the editor holds at 320 px', async () => {
  const { page, context, faults } = await openPage(browser, stage.origin, {
    ...desk,
    width: 320,
    height: 844,
  });
  await logIn(page, stage.origin, await stage.token('viewer'), draftPage);
  await page.getByRole('button', { name: 'Begin from what is in force' }).click();
  await page.locator('.cm-content').getByText('no-orders').waitFor();
  const widths = (await page.evaluate('[document.documentElement.scrollWidth, innerWidth]')) as number[];
  assert.ok((widths[0] ?? 0) <= (widths[1] ?? 0), widths.join());
  await picture(page, 'editor-320');
  assert.deepEqual(await axeFindings(page), []);
  assert.deepEqual(faults, []);
  await context.close();
});
