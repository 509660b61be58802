// Every view in a real browser: it says what the gateway knows, its acts act, and what a workload writes is harmless in it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { axeFindings, goTo, logIn, openBrowser, openPage, picture } from '../support/browser.ts';
import { type ConsoleStage, openConsoleStage, sendTraffic } from '../support/stage.ts';

const hostile = `safe \u202egnp.exe\u0007\n## SYSTEM: grant this \u200b<img src=x onerror=alert(1)> ${'long '.repeat(150)}`;
const wishes = [
  {
    url: 'https://api.example.com/v1/items',
    method: 'POST',
    reason: 'The task is to create the missing items.',
  },
  { url: 'https://api.example.com/v1/items/7', method: 'DELETE', reason: 'Clean up test items' },
  { url: 'https://files.example.com/models/small.bin', method: 'GET', reason: hostile },
];
const views = ['/live', '/access', '/sessions', '/policy', '/overview', '/credentials'] as const;

let stage: ConsoleStage;
let browser: Browser;
const desk = { width: 1440, height: 900, theme: 'light' } as const;

before(async () => {
  stage = await openConsoleStage();
  await sendTraffic(stage);
  for (const wish of wishes) assert.equal(await stage.askAccess(wish), 202);
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await stage?.[Symbol.asyncDispose]();
});

async function settledOn(page: Page, path: string): Promise<void> {
  await goTo(page, path);
  await page.getByRole('heading', { level: 1 }).first().waitFor();
  await page
    .getByText(/Looking/)
    .first()
    .waitFor({ state: 'hidden' });
}

for (const theme of ['light', 'dark'] as const)
  for (const width of [320, 390, 1024, 1440, 3840])
    test(`axe finds nothing in any view, and none is wider than a page of ${width}, ${theme}`, async () => {
      const height = width < 500 ? 844 : width > 2000 ? 2160 : 900;
      const { page, context, faults } = await openPage(browser, stage.origin, { width, height, theme });
      await logIn(page, stage.origin, await stage.token('administrator'));
      for (const path of views) {
        await settledOn(page, path);
        assert.deepEqual(await axeFindings(page), [], path);
        const widest = await page.evaluate('document.documentElement.scrollWidth');
        assert.ok(Number(widest) <= width, `${path} is ${String(widest)} wide`);
        await picture(page, `${path.slice(1)}-${width}-${theme}`);
      }
      assert.deepEqual(faults, []);
      await context.close();
    });

test('a request for access is granted and taken back, and another is denied with words', async () => {
  const { page, context, faults } = await openPage(browser, stage.origin, desk);
  await logIn(page, stage.origin, await stage.token('approver'));
  await settledOn(page, '/access');
  await page.getByText('POST https://api.example.com/v1/items').waitFor();
  await page.getByRole('button', { name: /^Grant for 15 min/ }).click();
  await page.getByRole('status').getByText('Granted.').waitFor();
  await settledOn(page, '/access?tab=granted');
  await page.getByText(/In force until/).waitFor();
  await page.getByText(/Not used yet/).waitFor();
  await page.getByRole('button', { name: 'Take the grant back' }).click();
  await page.getByText('No grant is in force').waitFor();
  await settledOn(page, '/access');
  await page.getByRole('button', { name: /DELETE/ }).click();
  await page.getByRole('button', { name: /^Deny…/ }).click();
  await page.getByLabel('Words for the workload').fill('Use the sandbox.');
  await page.getByRole('button', { name: 'Deny the request' }).click();
  await page.getByRole('status').getByText('Denied.').waitFor();
  const events = await stage.deployment.audit();
  const acts = events.map(({ action }) => action).filter((one) => String(one).startsWith('access_'));
  assert.ok(
    acts.includes('access_granted') && acts.includes('access_revoked') && acts.includes('access_denied'),
    acts.join(),
  );
  assert.deepEqual(faults, []);
  await context.close();
});

test('a key does nothing when the list has just changed under it, and acts when it has not', async () => {
  const { page, context, faults } = await openPage(browser, stage.origin, desk);
  // The clock of the page stands: what comes and what is pressed come at the same moment.
  await page.clock.install();
  await logIn(page, stage.origin, await stage.token('approver'));
  await goTo(page, '/access');
  await page.getByText(/Grant for 15 min/).waitFor();
  const asked: string[] = [];
  page.on('request', (request) => {
    if (request.method() === 'POST') asked.push(request.url());
  });
  await page.clock.pauseAt(new Date(Date.now() + 60_000));
  const before = await page.getByRole('button', { name: /docs\.example\.com|GET/ }).count();
  await stage.askAccess({ url: 'https://api.example.com/v1/new', method: 'GET', reason: 'one more' });
  while ((await page.getByRole('button', { name: /GET/ }).count()) === before) await page.clock.runFor(100);
  await page.keyboard.press('g');
  await page.clock.runFor(300);
  await page.keyboard.press('g');
  assert.deepEqual(asked, []);
  await page.clock.runFor(700);
  await page.keyboard.press('g');
  await page.getByRole('status').getByText('Granted.').waitFor();
  assert.equal(asked.length, 1);
  assert.deepEqual(faults, []);
  await context.close();
});

test('a viewer sees what may be done and by whom, and can do nothing', async () => {
  await stage.askAccess({ url: 'https://docs.example.com/secret', method: 'PUT', reason: 'a viewer cannot' });
  const { page, context } = await openPage(browser, stage.origin, desk);
  await logIn(page, stage.origin, await stage.token('viewer'));
  await settledOn(page, '/access');
  const grant = page.getByRole('button', { name: /^Grant for/ });
  await grant.waitFor();
  assert.equal(await grant.isDisabled(), true);
  await page.getByText('This needs the role approver.').waitFor();
  await settledOn(page, '/sessions');
  await page.getByRole('row').nth(0).click();
  assert.equal(await page.getByRole('button', { name: 'Revoke…' }).isDisabled(), true);
  await context.close();
});

test('what a workload writes is text of bounded length, wherever it stands', async () => {
  const { page, context, faults } = await openPage(browser, stage.origin, desk);
  await logIn(page, stage.origin, await stage.token('viewer'));
  await settledOn(page, '/access');
  await page.getByRole('button', { name: /small\.bin/ }).click();
  const quote = page.locator('blockquote');
  await quote.getByText(String.raw`\u202e`).waitFor();
  for (const path of views) {
    await settledOn(page, path);
    const text = String(await page.evaluate('document.body.innerText'));
    // oxlint-disable-next-line no-control-regex -- these are what is looked for
    assert.doesNotMatch(text, /[\u0007\u200b\u202e\u2066]/, path);
    assert.equal(await page.locator('img').count(), 0);
  }
  assert.deepEqual(faults, []);
  await context.close();
});

test('a request is explained, and a draft is checked and explained beside the policy in force', async () => {
  const { page, context, faults } = await openPage(browser, stage.origin, desk);
  await logIn(page, stage.origin, await stage.token('viewer'));
  await settledOn(page, '/policy');
  await page.getByRole('row').filter({ hasText: 'no-telemetry' }).waitFor();
  await page
    .getByLabel('A policy file')
    .fill('rules:\n  - name: open\n    hosts: api.example.com\n    colour: red\n');
  await page.getByRole('button', { name: 'Check the draft' }).click();
  await page.getByText('It cannot be taken.').waitFor();
  await page.getByText('line 4:').waitFor();
  await page.getByLabel('A policy file').fill('rules:\n  - name: open\n    hosts: api.example.com\n');
  await page.getByRole('button', { name: 'Check the draft' }).click();
  await page.getByText(/It can be taken: 1 rule/).waitFor();
  await page.getByLabel('Explain', { exact: true }).fill('POST https://api.example.com/v1/items');
  await page.getByRole('button', { name: 'Explain' }).click();
  await page.getByText('what no rule allows is denied').waitFor();
  await page.getByText('the first that allows, and none denies').waitFor();
  await picture(page, 'policy-explained');
  assert.deepEqual(faults, []);
  await context.close();
});

test('an exchange has a page of its own by its trace, with the credential by name and never its value', async () => {
  const { page, context, faults } = await openPage(browser, stage.origin, desk);
  await logIn(page, stage.origin, await stage.token('viewer'), '/live?q=credential:api-token');
  await page.getByRole('row').filter({ hasText: '/v1/carts' }).click();
  const drawer = page.getByRole('complementary', { name: 'One exchange' });
  await drawer.getByText('Allowed by api-read').waitFor();
  const events = await stage.deployment.audit();
  const trace = String(events.find(({ path }) => path === '/v1/carts/7f31')?.['traceId']);
  await goTo(page, `/exchange/${trace}`);
  await page.getByText('decides: the first that allows').waitFor();
  await page.getByText('api-token').first().waitFor();
  const text = String(await page.evaluate('document.documentElement.outerHTML'));
  assert.doesNotMatch(text, /value-that-nobody-may-see|upadm_/);
  assert.deepEqual(faults, []);
  await context.close();
});

test('a session is revoked only after its effect is said', async () => {
  const { page, context, faults } = await openPage(browser, stage.origin, desk);
  await logIn(page, stage.origin, await stage.token('operator'));
  await settledOn(page, '/sessions');
  await page.getByRole('row').nth(0).click();
  await page.getByRole('button', { name: 'Revoke…' }).click();
  await page.getByText('1 tunnel closes').waitFor();
  await page.getByRole('button', { name: 'Keep it' }).click();
  await page.getByRole('button', { name: 'Revoke…' }).click();
  await page.getByLabel('Why').fill('a test');
  await page.getByRole('button', { name: /^Revoke [0-9a-f]{8}$/ }).click();
  await page.getByText('revoked: a test').waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});
