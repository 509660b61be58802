// The live view in a real browser, before a real gateway with real traffic.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { axeFindings, logIn, openBrowser, openPage, picture } from '../support/browser.ts';
import { type ConsoleStage, openConsoleStage, sendTraffic } from '../support/stage.ts';

let stage: ConsoleStage;
let browser: Browser;
const look = { width: 1440, height: 900, theme: 'light' } as const;

before(async () => {
  stage = await openConsoleStage();
  await sendTraffic(stage);
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await stage?.[Symbol.asyncDispose]();
});

test('a token that is wrong is told, one that is right opens the live view, and it is in no address', async () => {
  const { page, faults, context } = await openPage(browser, stage.origin, look);
  await page.goto(`${stage.origin}/live`);
  await page.getByLabel('Operator token').fill('upadm_wrong');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByText('the request has no token of this API').waitFor();
  faults.length = 0;
  await logIn(page, stage.origin, await stage.token('viewer'));
  await page.getByRole('row').filter({ hasText: 'no-telemetry' }).waitFor();
  // A page that is loaded anew is still logged in; another tab is not.
  await page.reload();
  await page.getByRole('row').filter({ hasText: 'no-telemetry' }).waitFor();
  const other = await context.newPage();
  await other.goto(`${stage.origin}/live`);
  await other.getByLabel('Operator token').waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});

test('rows come as requests end, a reader is left alone, and following shows what came', async () => {
  const { page, faults, context } = await openPage(browser, stage.origin, look);
  await logIn(page, stage.origin, await stage.token('viewer'));
  await page.getByRole('row').filter({ hasText: 'no-telemetry' }).waitFor();
  await stage.request({ host: 'docs.example.com', path: '/while-followed' });
  await page.getByRole('row').filter({ hasText: '/while-followed' }).waitFor();
  await page.getByRole('row').filter({ hasText: 'no-telemetry' }).click();
  await page
    .getByRole('complementary', { name: 'One exchange' })
    .getByText('Denied by no-telemetry')
    .waitFor();
  await stage.request({ host: 'docs.example.com', path: '/while-paused' });
  await page.getByRole('button', { name: /^Paused · 1 new/ }).waitFor();
  assert.equal(await page.getByRole('row').filter({ hasText: '/while-paused' }).count(), 0);
  // Another filter shows what was there of it, and counts what came by it.
  await page.getByLabel('Filter').fill('verdict:allow');
  await page.getByRole('row').filter({ hasText: '/while-followed' }).waitFor();
  await page.getByRole('button', { name: /^Paused · 1 new/ }).waitFor();
  assert.equal(await page.getByRole('row').filter({ hasText: '/while-paused' }).count(), 0);
  await page.getByLabel('Filter').fill('verdict:deny');
  await page.getByRole('button', { name: 'Paused F' }).waitFor();
  await page.getByLabel('Filter').fill('');
  await page.getByLabel('Filter').press('Enter');
  await page.keyboard.press('Escape');
  await page.keyboard.press('f');
  await page.getByRole('row').filter({ hasText: '/while-paused' }).waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});

test('axe finds nothing in the live view, with a row open, in light and dark', async () => {
  for (const theme of ['light', 'dark'] as const) {
    const { page, context } = await openPage(browser, stage.origin, { width: 1440, height: 900, theme });
    await page.goto(stage.origin);
    assert.deepEqual(await axeFindings(page), []);
    await logIn(page, stage.origin, await stage.token('viewer'));
    await page.getByRole('row').filter({ hasText: 'no-telemetry' }).click();
    await page.getByText('Denied by no-telemetry').waitFor();
    assert.deepEqual(await axeFindings(page), []);
    await picture(page, `live-${theme}`);
    await context.close();
  }
});

test('a decision is drawn as a matrix: each line stops where its rule does not match, at every width', async () => {
  const { page, context, faults } = await openPage(browser, stage.origin, {
    width: 1440,
    height: 900,
    theme: 'light',
  });
  await logIn(page, stage.origin, await stage.token('viewer'), '/live?q=verdict:deny');
  await page.getByRole('row').filter({ hasText: '/v1/items' }).first().click();
  const decision = page.locator('.steps');
  await decision.getByText('is for GET, HEAD, not POST').waitFor();
  await decision.getByText('is for the paths /v1/orders').waitFor();
  const lines = decision.locator('.step.mx:not(.mxh)');
  // What no rule here looks at has no column.
  const heads = decision.locator('.mxh .mc');
  assert.deepEqual(await heads.allInnerTexts(), ['scheme', 'ports', 'method', 'path']);
  // Up to its methods, and no further; and up to its paths.
  assert.deepEqual(
    [await lines.nth(0).locator('.mc').count(), await lines.nth(1).locator('.mc').count()],
    [3, 4],
  );
  // A mark stands below the name of its condition.
  const middles = await Promise.all(
    [heads.nth(2), lines.nth(0).locator('.mc').nth(2)].map(async (one) => {
      const box = await one.boundingBox();
      return (box?.x ?? 0) + (box?.width ?? 0) / 2;
    }),
  );
  assert.ok(Math.abs((middles[0] ?? 0) - (middles[1] ?? 99)) < 2, JSON.stringify(middles));
  assert.equal(
    await lines.nth(0).getByRole('img', { name: 'does not match' }).count(),
    0,
    'the words say it',
  );
  await picture(page, 'decision-matrix');
  assert.deepEqual(await axeFindings(page), []);
  await page.setViewportSize({ width: 320, height: 800 });
  await decision.getByText('is for GET, HEAD, not POST').scrollIntoViewIfNeeded();
  assert.equal(await lines.nth(0).locator('.mc').first().isVisible(), false);
  await picture(page, 'decision-matrix-320');
  assert.deepEqual(faults, []);
  await context.close();
});

test('what has not ended is told above the list with its age, fits the filter, and goes with its end', async () => {
  const { page, context, faults } = await openPage(browser, stage.origin, look);
  await logIn(page, stage.origin, await stage.token('viewer'));
  const open = page.getByRole('region', { name: 'Still open' });
  assert.equal(await open.count(), 0);
  const running = [
    stage.request({ host: 'docs.example.com', path: '/held/long-poll' }),
    stage.request({ host: 'files.example.com', path: '/held/download', agent: 1 }),
  ];
  await open.getByText(/^2 for 2 s and longer, the oldest for \d+ s$/).waitFor();
  await open.getByRole('button', { name: 'Show 2 rows' }).click();
  const rows = page.getByRole('region', { name: 'Exchanges that have not ended' }).getByRole('link');
  await rows.filter({ hasText: '/held/download' }).waitFor();
  assert.equal(await rows.count(), 2);
  await picture(page, 'live-open-light');
  assert.deepEqual(await axeFindings(page), []);
  await page.getByLabel('Filter').fill('host:files.example.com');
  await open.getByText(/^1 for 2 s and longer/).waitFor();
  await page.getByLabel('Filter').fill('');
  await page.setViewportSize({ width: 390, height: 800 });
  await picture(page, 'live-open-390');
  assert.deepEqual(await axeFindings(page), []);
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.mouse.move(5, 5);
  await stage.request({ host: 'registry.example', path: '/release' });
  await Promise.all(running);
  await open.waitFor({ state: 'detached' });
  await page.getByRole('row').filter({ hasText: '/held/download' }).waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});
