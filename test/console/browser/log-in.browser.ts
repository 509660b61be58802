// Log-in to the console at a real identity provider, in a real browser before a real gateway: there and back to the view that was wanted,
// writes by the cookie, pages of others that get nothing, and the end of a session.

import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { mustRun } from '../../support/command.ts';
import { type LogInDeployment, openLogInDeployment } from '../../support/log-in-deployment.ts';
import { launcher } from '../../support/program.ts';
import { axeFindings, openBrowser, picture } from '../support/browser.ts';

let browser: Browser;
let scene: LogInDeployment;
let elsewhere: Server;
const person = { sub: 'a-1', name: 'Ada <b>Lovelace</b>', email: 'ada@example.com', groups: ['platform'] };

before(async () => {
  browser = await openBrowser([
    '--host-resolver-rules=MAP *.example.test 127.0.0.1, MAP evil.test 127.0.0.1',
  ]);
  scene = await openLogInDeployment(() => person);
  elsewhere = createServer((_, response) =>
    response.setHeader('content-type', 'text/html').end('<title>evil</title>'),
  );
  elsewhere.listen(0, '127.0.0.1');
  await once(elsewhere, 'listening');
});
after(async () => {
  await browser?.close();
  elsewhere?.close();
  await scene?.[Symbol.asyncDispose]();
});

/** The certificates are of an authority of the test. */
async function openContext(
  theme: 'light' | 'dark' = 'light',
): Promise<{ context: BrowserContext; page: Page; faults: string[] }> {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    colorScheme: theme,
    reducedMotion: 'reduce',
    viewport: { width: 1440, height: 900 },
  });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  // What a request that is refused leaves in the console of the browser is what the test asks for.
  page.on('console', (message) => {
    const isRefusal = /status of 40[13]/.test(message.text());
    const isOurs = message.location().url.startsWith(scene.origin);
    if (message.type() === 'error' && isOurs && !isRefusal) faults.push(`console: ${message.text()}`);
  });
  return { context, page, faults };
}

const views = (page: Page) =>
  page.getByRole('navigation', { name: 'Views' }).first().waitFor({ state: 'attached' });
const logInLink = (page: Page) => page.getByRole('link', { name: /^Log in at login\.example\.test/ });

test('a person logs in, comes back to the view that they wanted, and stays logged in over a load and in another tab', async () => {
  const { context, page, faults } = await openContext();
  await page.goto(`${scene.origin}/live?q=verdict%3Adeny`);
  await logInLink(page).waitFor();
  assert.deepEqual(await axeFindings(page), []);
  await picture(page, 'log-in-provider');
  await logInLink(page).click();
  await views(page);
  assert.equal(page.url(), `${scene.origin}/live?q=verdict%3Adeny`);
  assert.equal(
    await page.evaluate('sessionStorage.length + document.cookie.length'),
    0,
    'no page can read it',
  );
  await page.reload();
  await views(page);
  const other = await context.newPage();
  await other.goto(`${scene.origin}/settings`);
  await views(other);
  const you = other.getByRole('region', { name: 'You' });
  for (const text of [person.name, person.email, person.sub, scene.issuer, 'the identity provider'])
    await you.getByText(text, { exact: true }).first().waitFor();
  assert.deepEqual(await axeFindings(other), []);
  await picture(other, 'settings-person');
  // A write by the cookie: with its token, as the page sends it.
  await other.getByLabel('Name', { exact: true }).fill('ci');
  await other.getByRole('button', { name: 'Make a token' }).click();
  await other.getByText('upadm_').first().waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});

test('a page of somebody else gets nothing and can do nothing with the cookie', async () => {
  const { context, page } = await openContext();
  await page.goto(`${scene.origin}/live`);
  await logInLink(page).click();
  await views(page);
  const evil = await context.newPage();
  await evil.goto(`http://evil.test:${(elsewhere.address() as AddressInfo).port}/`);
  const attempts: readonly unknown[] = await evil.evaluate(`(async () => {
    const at = ${JSON.stringify(scene.origin)};
    const ask = (path, init) => fetch(at + path, { credentials: 'include', ...init }).then((r) => r.status, () => 'nothing');
    const tokens = { method: 'POST', body: JSON.stringify({ name: 'evil', role: 'administrator', seconds: 3600 }) };
    const image = await new Promise((done) => { const i = new Image(); i.onload = () => done('read'); i.onerror = () => done('nothing'); i.src = at + '/v1/tokens'; });
    return [await ask('/v1/who'), await ask('/v1/tokens', tokens), await ask('/v1/tokens', { ...tokens, mode: 'no-cors' }), image];
  })()`);
  assert.deepEqual(attempts.slice(0, 2), ['nothing', 'nothing']);
  assert.equal(attempts[3], 'nothing');
  // A form is sent as a navigation.
  await evil.evaluate(`(() => {
    const form = document.createElement('form');
    [form.method, form.action, form.enctype] = ['post', ${JSON.stringify(`${scene.origin}/v1/tokens`)}, 'text/plain'];
    const field = document.createElement('input');
    [field.name, field.value] = ['{"name":"evil","role":"administrator","seconds":3600,"x":"', '"}'];
    form.append(field); document.body.append(form); form.submit();
  })()`);
  await evil.waitForURL(`${scene.origin}/v1/tokens`);
  assert.match(await evil.content(), /operator_refused/);
  const listed = await mustRun(launcher, ['operator', 'list', '--config', scene.deployment.configFile]);
  assert.doesNotMatch(listed, /evil/);
  await context.close();
});

test('the end of a session is told calmly, and the next log-in leads back to the same view', async () => {
  const { context, page, faults } = await openContext('dark');
  await page.goto(`${scene.origin}/sessions?q=x`);
  await logInLink(page).click();
  await views(page);
  const list = await mustRun(launcher, [
    'operator',
    'list',
    '--json',
    '--config',
    scene.deployment.configFile,
  ]);
  for (const line of list.trim().split('\n')) {
    const { id } = JSON.parse(line) as { readonly id: string };
    await mustRun(launcher, ['operator', 'revoke', id, '--config', scene.deployment.configFile]);
  }
  await page.getByText('The session has ended.').waitFor();
  assert.equal(page.url(), `${scene.origin}/sessions?q=x`);
  assert.deepEqual(await axeFindings(page), []);
  await picture(page, 'session-ended');
  await logInLink(page).click();
  await views(page);
  assert.equal(page.url(), `${scene.origin}/sessions?q=x`);
  await page.getByRole('button', { name: 'Log out' }).first().click();
  // The provider asks whether the person wants to log out there too.
  await page.waitForURL(`${scene.issuer}/**`);
  await page.goto(`${scene.origin}/live`);
  await logInLink(page).waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});
