// How each view looks to who sees no colour, or not all of them, and in the widest font: pictures to be looked at, and what a program can tell of them.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { goTo, logIn, openBrowser, openPage, picture } from '../support/browser.ts';
import { type ConsoleStage, openConsoleStage, sendTraffic } from '../support/stage.ts';

const views = [
  '/live',
  '/access',
  '/sessions',
  '/policy',
  '/policy?pane=draft',
  '/overview',
  '/credentials',
  '/settings',
];
const looks = [
  ['grey', 'achromatopsia'],
  ['deuteranopia', 'deuteranopia'],
] as const;

let stage: ConsoleStage;
let browser: Browser;

before(async () => {
  stage = await openConsoleStage();
  await sendTraffic(stage);
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await stage?.[Symbol.asyncDispose]();
});

async function show(page: Page, path: string): Promise<string> {
  await goTo(page, path);
  // What is asked for is there, or said not to be.
  await page.getByRole('main').getByText('Looking for it…').waitFor({ state: 'detached' });
  await page.getByRole('heading', { level: 1 }).first().waitFor();
  return path.slice(1).replaceAll(/\W+/g, '-');
}

for (const theme of ['light', 'dark'] as const)
  test(`in grey, and without one of the colours, ${theme}`, async () => {
    const look = { width: 1440, height: 900, theme };
    const { page, context, faults } = await openPage(browser, stage.origin, look);
    await logIn(page, stage.origin, await stage.token('administrator'));
    const devtools = await context.newCDPSession(page);
    for (const path of views) {
      const name = await show(page, path);
      for (const [what, type] of looks) {
        await devtools.send('Emulation.setEmulatedVisionDeficiency', { type });
        await picture(page, `${name}-${what}-${theme}`);
      }
      await devtools.send('Emulation.setEmulatedVisionDeficiency', { type: 'none' });
    }
    // What was denied is told by a mark and a place, not by its colour alone.
    await goTo(page, '/live?q=verdict:deny');
    await page.getByRole('row').filter({ hasText: 'no-telemetry' }).first().waitFor();
    const marks = page.locator(
      '[role=row] svg[aria-label], [role=row] [role=img][aria-label], [role=row] svg title',
    );
    assert.ok((await marks.count()) > 0, 'a mark has a name');
    assert.deepEqual(faults, []);
    await context.close();
  });

for (const width of [320, 1024, 1440])
  test(`in the widest font no view is wider than a page of ${width}`, async () => {
    const look = { width, height: 900, theme: 'light' } as const;
    const { page, context, faults } = await openPage(browser, stage.origin, look);
    await logIn(page, stage.origin, await stage.token('administrator'));
    const font = "document.documentElement.style.setProperty('--sans', 'DejaVu Sans, Verdana, sans-serif')";
    await page.evaluate(font);
    for (const path of views) {
      const name = await show(page, path);
      const widest = await page.evaluate('document.documentElement.scrollWidth');
      assert.ok(Number(widest) <= width, `${path} is ${String(widest)} wide`);
      // Nothing that one presses is cut off by what stands around it.
      const cut = (await page.evaluate(cutOff)) as readonly string[];
      assert.deepEqual(cut, [], path);
      assert.deepEqual((await page.evaluate(cutHosts)) as readonly string[], [], path);
      await picture(page, `${name}-wide-${width}`);
    }
    assert.deepEqual(faults, []);
    await context.close();
  });

/** Names of buttons whose text is wider than they are. */
const cutOff = `[...document.querySelectorAll('button, a.btn')]
  .filter((one) => one.offsetParent !== null && one.clientWidth > 0 && one.scrollWidth > one.clientWidth + 1)
  .map((one) => one.textContent)`;

/** Hosts in lists of the most and in rows, of which not all is to be seen. */
const cutHosts = `[...document.querySelectorAll('.bars .b1 .el, .live .rows .dst')]
  .filter((one) => one.querySelector('b')?.getBoundingClientRect().right > one.getBoundingClientRect().right + 1)
  .map((one) => one.textContent)`;
