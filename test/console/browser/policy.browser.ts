// The policy of a store in a real browser: written, checked, published, compared and taken back, by who may.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser, Page, Route } from 'playwright-core';
import { mustRun } from '../../support/command.ts';
import { deploy, type Deployment } from '../../support/deployment.ts';
import { freePort } from '../../support/free-port.ts';
import { launcher } from '../../support/program.ts';
import { axeFindings, goTo, logIn, openBrowser, openPage, picture } from '../support/browser.ts';

const desk = { width: 1440, height: 900, theme: 'light' } as const;
const hostile = 'safe \u202egnp.exe\u0007 <img src=x onerror=alert(1)>';

let deployment: Deployment;
let origin: string;
let browser: Browser;

before(async () => {
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  deployment = await deploy({ rules: [], config: { policy: 'store', admin: { listen: { port } } } });
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await deployment?.[Symbol.asyncDispose]();
});

async function token(role: string): Promise<string> {
  const config = deployment.configFile;
  const args = [
    'operator',
    'token',
    '--name',
    `ada-${role}`,
    '--role',
    role,
    '--for',
    '1h',
    '--config',
    config,
  ];
  return (await mustRun(launcher, args)).trim();
}

async function write(page: Page, text: string): Promise<void> {
  await type(page, text);
  await page.getByRole('button', { name: 'Check the draft' }).click();
}

async function show(page: Page, pane: string): Promise<void> {
  await page.getByRole('group', { name: 'What of the policy' }).getByRole('button', { name: pane }).click();
}

/** In place of what stands there. */
async function type(page: Page, text: string): Promise<void> {
  await show(page, 'Draft');
  const field = page.locator('.cm-content');
  await field.click();
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.press('Backspace');
  await page.keyboard.insertText(text);
}

const rule = (name: string, host: string): string => `rules:\n  - name: ${name}\n    hosts: ${host}\n`;

test('a policy is written, published with why, seen with its text, compared, and an earlier one comes back', async () => {
  const { page, context, faults } = await openPage(browser, origin, desk);
  await logIn(page, origin, await token('administrator'));
  await goTo(page, '/policy');
  await show(page, 'History');
  await page.getByText('Nothing was published').waitFor();
  await write(page, 'rules:\n  - name: first\n    hosts: docs.example.com\n    colour: red\n');
  await page.getByRole('button', { name: 'line 4' }).waitFor();
  await page.locator('.cm-lint-marker-error').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Publish main' }).count(), 0);
  await write(page, rule('first', 'docs.example.com'));
  await page.getByText('the first version of main').waitFor();
  await page.getByRole('button', { name: 'Replay the newest events' }).click();
  await page.getByText(/0 decisions made again/).waitFor();
  await page.getByLabel('Why').fill(hostile);
  await page.getByRole('button', { name: 'Publish main' }).click();
  await show(page, 'History');
  const first = page.getByRole('article', { name: 'main@1' });
  await first.getByText('published now').waitFor();
  await first.getByText('taken by 1').waitFor();
  await first.getByText('\\u202e').waitFor();
  assert.equal(await page.locator('img').count(), 0);
  // What is asked for takes the place of the draft when it comes: until then nothing is written that would be lost.
  const asked = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const hold = async (route: Route): Promise<void> => {
    asked.resolve();
    await released.promise;
    await route.continue();
  };
  await page.route('**/v1/policy/published/main', hold, { times: 1 });
  await show(page, 'Draft');
  await page.getByRole('button', { name: 'Begin from main' }).click();
  await asked.promise;
  const field = page.getByRole('textbox', { name: 'A policy file' });
  assert.equal(await field.getAttribute('aria-readonly'), 'true');
  assert.equal(await page.getByRole('button', { name: 'Check the draft' }).isDisabled(), true);
  released.resolve();
  await page.locator('.cm-content[aria-readonly]').waitFor({ state: 'detached' });
  await write(page, rule('second', 'api.example.com'));
  await page.getByText('replaces main@1').waitFor();
  await page.getByText(/Opens 1 destination, closes 1 destination/).waitFor();
  await picture(page, 'policy-publish');
  await page.getByRole('button', { name: 'Publish main' }).click();
  await show(page, 'History');
  const second = page.getByRole('article', { name: 'main@2' });
  await second.getByText('published now').waitFor();
  await second.getByRole('button', { name: 'What it changed' }).click();
  await second.getByText('https://docs.example.com').waitFor();
  await picture(page, 'policy-history');
  assert.deepEqual(await axeFindings(page), []);
  await show(page, 'Text');
  const text = page.getByRole('region', { name: 'Text of the policy' });
  await text.getByText('hosts: api.example.com').waitFor();
  await text.getByText('not used').waitFor();
  await picture(page, 'policy-text');
  assert.deepEqual(await axeFindings(page), []);
  await show(page, 'History');
  await first.getByRole('button', { name: 'Roll back…' }).click();
  await first.getByRole('button', { name: 'Replace main@2 by main@1' }).click();
  await page.getByRole('article', { name: 'main@3' }).getByText('version 1 again').waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});

test('what somebody else published meanwhile is said, and compared, before it is replaced', async () => {
  const { page, context, faults } = await openPage(browser, origin, desk);
  await logIn(page, origin, await token('administrator'));
  await goTo(page, '/policy');
  await page.getByRole('button', { name: 'Begin from main' }).click();
  await page.locator('.cm-content').getByText('docs.example.com').waitFor();
  await write(page, rule('mine', 'mine.example.com'));
  await page.getByRole('button', { name: 'Publish main' }).waitFor();
  await mustRun(launcher, ['policy', 'rollback', '2', '--config', deployment.configFile]);
  await page.getByRole('button', { name: 'Publish main' }).click();
  await page
    .getByRole('alert')
    .getByText(/is not as it was when it was looked at/)
    .waitFor();
  await page.getByRole('button', { name: 'Check the draft' }).click();
  await page
    .getByRole('alert')
    .getByText(/was published meanwhile, by .*uid/)
    .waitFor();
  await page.getByRole('button', { name: 'Publish main' }).click();
  await show(page, 'Rules');
  await page.getByText('mine', { exact: true }).first().waitFor();
  assert.equal(faults.filter((fault) => !fault.includes('409')).length, 0);
  await context.close();
});

test('who may not publish sees the acts, and which role they need', async () => {
  const { page, context, faults } = await openPage(browser, origin, { ...desk, theme: 'dark' });
  await logIn(page, origin, await token('viewer'));
  await goTo(page, '/policy');
  await write(page, rule('x', 'x.example.com'));
  const publish = page.getByRole('button', { name: 'Publish main' });
  await publish.waitFor();
  assert.equal(await publish.isDisabled(), true);
  await page.getByText('needs the role administrator').waitFor();
  await show(page, 'History');
  const first = page.getByRole('article', { name: 'main@1' });
  assert.equal(await first.getByRole('button', { name: 'Roll back…' }).isDisabled(), true);
  await picture(page, 'policy-viewer-dark');
  assert.deepEqual(await axeFindings(page), []);
  assert.deepEqual(faults, []);
  await context.close();
});

test('the history and the draft hold at 320 px', async () => {
  const { page, context } = await openPage(browser, origin, { width: 320, height: 844, theme: 'light' });
  await logIn(page, origin, await token('administrator'));
  await goTo(page, '/policy');
  await show(page, 'History');
  await page.getByRole('article').first().waitFor();
  const [wide, inner] = (await page.evaluate(
    '[document.documentElement.scrollWidth, innerWidth]',
  )) as number[];
  assert.ok((wide ?? 0) <= (inner ?? 0), `${wide} px in ${inner}`);
  await picture(page, 'policy-320');
  assert.deepEqual(await axeFindings(page), []);
  await context.close();
});

test('a policy of another name is for the sessions that are said', async () => {
  const { page, context, faults } = await openPage(browser, origin, desk);
  await logIn(page, origin, await token('administrator'));
  await goTo(page, '/policy');
  await page.getByRole('combobox', { name: 'Policy', exact: true }).fill('Team');
  await type(page, rule('web', 'web.example.com'));
  assert.equal(await page.getByRole('button', { name: 'Check the draft' }).isDisabled(), true);
  await page.getByRole('combobox', { name: 'Policy', exact: true }).fill('team-web');
  await page.getByRole('button', { name: 'Check the draft' }).click();
  await page.getByText('the first version of team-web').waitFor();
  const whom = page.getByLabel('For sessions with these claims');
  await whom.fill('team');
  await page.getByText('Write it as claim=value').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Publish team-web' }).isDisabled(), true);
  await whom.fill('team=web');
  await picture(page, 'policy-for-whom');
  await page.getByRole('button', { name: 'Publish team-web' }).click();
  await show(page, 'History');
  await page.getByRole('article', { name: 'team-web@1' }).getByText('team=web').waitFor();
  await page.getByRole('button', { name: 'Begin from team-web' }).click();
  await page.locator('.cm-content').getByText('web.example.com').waitFor();
  assert.deepEqual(await axeFindings(page), []);
  assert.deepEqual(faults, []);
  await context.close();
});
