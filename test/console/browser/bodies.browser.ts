// Kept bodies in a real browser: shown by role, as text, whatever they hold.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { axeFindings, logIn, openBrowser, openPage, picture } from '../support/browser.ts';
import { openConsoleStage } from '../support/stage.ts';

test('an operator sees kept bodies as text, a viewer that they are there, and nobody the injected value', async () => {
  await using stage = await openConsoleStage();
  await stage.request({ host: 'api.example.com', path: '/hostile' });
  const browser = await openBrowser();
  try {
    for (const theme of ['light', 'dark'] as const) {
      const look = { width: 1440, height: 1200, theme };
      const { page, context, faults } = await openPage(browser, stage.origin, look);
      await logIn(page, stage.origin, await stage.token('operator'), '/live?q=path:/hostile');
      await page.getByRole('row').filter({ hasText: '/hostile' }).first().click();
      const section = page.getByRole('region', { name: 'Bodies' });
      await section.getByRole('button', { name: 'Show the bodies' }).click();
      const shown = section.getByLabel('The response');
      await shown.waitFor();
      const text = await shown.innerText();
      assert.match(text, /<script>alert\(2\)<\/script>/);
      assert.match(text, /\\u202egnp\.exe\\u001b\[2J/);
      assert.match(text, /Bearer \*+/);
      assert.equal(await page.locator('img, iframe, script:not([src])').count(), 0);
      assert.doesNotMatch(await page.content(), /value-that-nobody-may-see/);
      await section.scrollIntoViewIfNeeded();
      await picture(page, `exchange-bodies-${theme}`);
      assert.deepEqual(await axeFindings(page), []);
      assert.deepEqual(faults, []);
      await context.close();
    }
    const { page, context, faults } = await openPage(browser, stage.origin, {
      width: 1440,
      height: 900,
      theme: 'light',
    });
    await logIn(page, stage.origin, await stage.token('viewer'), '/live?q=path:/hostile');
    await page.getByRole('row').filter({ hasText: '/hostile' }).first().click();
    const show = page.getByRole('button', { name: 'Show the bodies' });
    await show.waitFor();
    assert.equal(await show.isDisabled(), true);
    await page.getByText('needs the role operator').waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  } finally {
    await browser.close();
  }
});
