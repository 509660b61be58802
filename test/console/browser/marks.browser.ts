// What somebody keeps for themselves in Live, how Access leads to a rule, and requests that a rule holds.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { axeFindings, goTo, logIn, openBrowser, openPage, picture } from '../support/browser.ts';
import { type ConsoleStage, openConsoleStage, sendTraffic } from '../support/stage.ts';

const desk = { width: 1440, height: 900, theme: 'light' } as const;
let stage: ConsoleStage;
let browser: Browser;

before(async () => {
  stage = await openConsoleStage([
    {
      name: 'ask-before-delete',
      addresses: ['127.0.0.1'],
      hosts: ['api.example.com'],
      methods: ['DELETE'],
      ask: true,
    },
  ]);
  await sendTraffic(stage);
  const wish = { url: 'https://api.example.com/v1/items', method: 'POST', reason: 'create the items' };
  assert.equal(await stage.askAccess(wish), 202);
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await stage?.[Symbol.asyncDispose]();
});

async function press(page: Page, key: string): Promise<void> {
  await page.locator('body').press(key);
}

test('a row is pinned and stays, a filter is saved by a name, and times are written in three ways', async () => {
  const { page, context, faults } = await openPage(browser, stage.origin, desk);
  await logIn(page, stage.origin, await stage.token('viewer'), '/live?q=verdict:deny');
  await page.getByRole('row').filter({ hasText: 'no-telemetry' }).click();
  await press(page, 'p');
  const pinned = page.getByRole('region', { name: 'Pinned events' });
  await pinned.getByText('no-telemetry').waitFor();
  await press(page, 'Escape');
  await page.getByRole('button', { name: /^Views/ }).click();
  await page.getByLabel('Name of the view').fill('Denied <b>');
  await page.getByRole('button', { name: 'Save view' }).click();
  await page.getByRole('button', { name: 'Remove the view Denied <b>' }).waitFor();
  assert.deepEqual(await axeFindings(page), []);
  await picture(page, 'live-views');
  await page.getByRole('button', { name: 'Close' }).click();
  await goTo(page, '/live');
  // What was marked is there in every filter.
  await pinned.getByText('no-telemetry').waitFor();
  await page.keyboard.press('Control+k');
  await page.getByLabel('What to do').fill('View Denied');
  await page.keyboard.press('Enter');
  await page.waitForURL(/q=verdict/);
  const zone = page.getByTitle('How times are written (.)');
  const local = await zone.innerText();
  await press(page, '.');
  await page.getByRole('status').getByText('Times are UTC.').waitFor();
  assert.equal(await zone.innerText(), 'UTC');
  await press(page, '.');
  await page.getByRole('row').getByText('ago').first().waitFor();
  assert.deepEqual(await axeFindings(page), []);
  await picture(page, 'live-pinned');
  await press(page, '.');
  assert.equal(await zone.innerText(), local);
  assert.deepEqual(faults, []);
  await context.close();
});

test('a request for access shows the nearest rule and becomes a rule in the draft', async () => {
  const { page, context, faults } = await openPage(browser, stage.origin, desk);
  await logIn(page, stage.origin, await stage.token('approver'), '/access');
  await page.getByRole('heading', { name: 'Nearest rule' }).waitFor();
  await page.getByText('api-read').first().waitFor();
  await page.getByRole('button', { name: /^Make it a rule/, disabled: false }).click();
  await page.locator('.cm-content').getByText('api-example-com-post').waitFor();
  await page.locator('.cm-content').getByText('paths: /v1/items').waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});

test('a held request stands on top with the time that is left, as it is bound, and goes on once it is allowed', async () => {
  const { page, context, faults } = await openPage(browser, stage.origin, desk);
  await logIn(page, stage.origin, await stage.token('approver'), '/access');
  const deleted = { host: 'api.example.com', path: '/v1/items/7', method: 'DELETE' };
  await page.getByRole('heading', { name: 'Nearest rule' }).waitFor();
  const allowed = stage.request(deleted);
  const list = page.getByRole('region', { name: 'Held now' });
  await list.getByRole('button').filter({ hasText: '/v1/items/7' }).click();
  await list.getByText(/left$/).waitFor();
  const question = page.getByRole('region', { name: 'Question' });
  await question.getByText(/^Held for \d+/).waitFor();
  await question.getByText('ask-before-delete').waitFor();
  await page.getByText('ask-before-delete asks a person about it.').waitFor();
  await question.getByText(/^DELETE https:\/\/api\.example\.com:\d+\/v1\/items\/7$/).waitFor();
  assert.deepEqual(await axeFindings(page), []);
  await picture(page, 'access-held');
  await goTo(page, '/overview');
  await page.getByText('1 request is held until somebody decides').waitFor();
  assert.deepEqual(await axeFindings(page), []);
  await picture(page, 'overview-held');
  await page.getByRole('link', { name: 'Show: 1 request is held until somebody decides' }).click();
  await question.getByRole('button', { name: /^For 15 min, any body/, disabled: false }).click();
  await page
    .getByRole('status')
    .getByText(/^Allowed\./)
    .waitFor();
  assert.equal(await allowed, 200);
  // For 15 minutes it holds for the next one of the same session too, and for no other path.
  assert.equal(await stage.request(deleted), 200);
  const denied = stage.request({ ...deleted, path: '/v1/items/8' });
  await list.getByRole('button').filter({ hasText: '/v1/items/8' }).click();
  await question.getByText(/\/v1\/items\/8$/).waitFor();
  await question.getByRole('button', { name: /^Deny/, disabled: false }).click();
  await page
    .getByRole('status')
    .getByText(/^Denied\./)
    .waitFor();
  assert.equal(await denied, 403);
  assert.deepEqual(faults, []);
  await context.close();
});

test('what is saved as HAR is read by another program, which finds each request in it', async () => {
  const { page, context, faults } = await openPage(browser, stage.origin, desk);
  await logIn(page, stage.origin, await stage.token('viewer'), '/live?q=kind:exchange');
  await page.getByRole('row').filter({ hasText: '/v1/orders' }).waitFor();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Save as HAR' }).click(),
  ]);
  const file = await download.path();
  const events = await stage.deployment.audit();
  // Playwright's own reader of archives takes the place of the network.
  const reading = await browser.newContext();
  await reading.routeFromHAR(file, { notFound: 'abort' });
  const reader = await reading.newPage();
  for (const path of ['/v1/orders', '/v1/carts/7f31', '/broken/build/cache.tar.zst']) {
    const { host, port, status } = events.find((one) => one.path === path) as Record<string, unknown>;
    const responded = reader.waitForResponse((response) => response.url().endsWith(path));
    // A page without anything on it that is refused is a fault to the browser.
    await reader.goto(`https://${String(host)}:${String(port)}${path}`).catch(() => undefined);
    assert.equal((await responded).status(), status, path);
  }
  await assert.rejects(reader.goto('https://api.example.com/none'));
  await reading.close();
  assert.deepEqual(faults, []);
  await context.close();
});
