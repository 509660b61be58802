// Packages in the console: what went into a session, and how old advisories are.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { event, openAdminScene } from '../../gateway/admin/admin-fixture.ts';
import { billEvents } from '../../support/package-events.ts';
import { axeFindings, logIn, openBrowser, openPage, picture } from '../support/browser.ts';

const dayMs = 86_400_000;

test('a session shows what came, what was hidden and what was refused; settings show how old advisories are', async () => {
  await using stack = new AsyncDisposableStack();
  const listen = { address: '127.0.0.1', port: 0, names: [] };
  const folder = fileURLToPath(new URL('../../../dist/console', import.meta.url));
  const scene = stack.use(await openAdminScene(new Map(), listen, folder));
  const browser = await openBrowser();
  stack.defer(() => browser.close());
  scene.nowMs = Date.now();
  const time = new Date().toISOString();
  await scene.append(
    billEvents.map((one, i) =>
      event(`e${String(i)}`, {
        ...one,
        id: `e${String(i)}`,
        time,
        sessionId: 'red',
        principal: 'issuer|red',
      }),
    ),
  );
  const registries = new Map([
    ['npm', { packages: 1000, advisories: 1200, newestMs: Date.now() - 9 * dayMs }],
  ]);
  const head = { madeMs: Date.now() - 8 * dayMs, registries };
  const state = { index: { head }, staleForMs: 2 * dayMs, staleRegistries: ['npm'] };
  Object.assign(scene.parts, { advisories: { state: () => state } });
  const origin = `http://127.0.0.1:${String(scene.port)}`;
  for (const theme of ['light', 'dark'] as const) {
    const { page, context, faults } = await openPage(browser, origin, { width: 1440, height: 900, theme });
    await logIn(page, origin, await scene.token('viewer'), '/sessions/red');
    const section = page.getByRole('region', { name: 'Packages' });
    await section.getByText('@acme/app@1.0.0').waitFor();
    const text = await section.innerText();
    for (const part of [
      '2 came, versions of 1 hidden, 1 refused',
      'lodash@5.0.1',
      'refused 3 times: The rule npm waits.',
      '3 versions hidden: 5.0.0, 5.0.1',
      'checked, sha512-',
      'lodash@4.17.21',
    ])
      assert.ok(text.includes(part), `${part} in ${text}`);
    await section.scrollIntoViewIfNeeded();
    assert.deepEqual(await axeFindings(page), []);
    await picture(page, `session-packages-${theme}`);
    await page.goto(`${origin}/settings`);
    const known = page.getByRole('region', { name: 'Advisories' });
    await known.getByText('old, for 2 d').waitFor();
    assert.match(await known.innerText(), /1,200 about 1,000 packages, the newest changed 9 d ago/);
    assert.deepEqual(await axeFindings(page), []);
    await picture(page, `settings-advisories-${theme}`);
    await page.goto(`${origin}/overview`);
    await page.getByText('Advisories of packages are old').waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  }
});
