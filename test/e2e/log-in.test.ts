// Log-in to a gateway process at a real identity provider: by its configuration, over its own way out, and into its audit.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logInPath } from '../../src/api/admin/log-in-path.ts';
import { mustRunShared } from '../support/command-process.ts';
import { TestBrowser } from '../support/log-in-browser.ts';
import { openLogInDeployment } from '../support/log-in-deployment.ts';

test('a person logs in to a gateway process, is seen and ended by an operator of the machine, and the audit has it all', async () => {
  const ada = { sub: 'a-1', name: 'Ada', groups: ['platform'] };
  await using scene = await openLogInDeployment(() => ada);
  const { origin, deployment, issuer } = scene;
  const browser = new TestBrowser(scene.caPem);
  const typed = { 'sec-fetch-site': 'none' };
  const back = await browser.follow(`${origin}${logInPath}?to=%2Flive`, `${origin}/live`, typed);
  assert.equal(back.status, 303, back.text);
  const ask = () => browser.get(`${origin}/v1/who`, { headers: { 'sec-fetch-site': 'same-origin' } });
  const who = JSON.parse((await ask()).text) as Readonly<Record<string, unknown>>;
  assert.deepEqual(
    [who['role'], who['by'], who['person']],
    ['administrator', 'oidc', { issuer, subject: 'a-1', name: 'Ada' }],
  );
  const operator = (...args: readonly string[]) =>
    mustRunShared(['operator', ...args, '--config', deployment.configFile]);
  const [row = ''] = (await operator('list', '--json')).split('\n');
  const { id, name } = JSON.parse(row) as { readonly id: string; readonly name: string };
  assert.equal(name, `a-1 of ${issuer}`);
  await operator('revoke', id);
  assert.equal((await ask()).status, 401);
  const events = await deployment.audit();
  const actions = events
    .map(({ action }) => action)
    .filter((action) => String(action).startsWith('operator_'));
  assert.deepEqual(actions, ['operator_logged_in', 'operator_token_revoked']);
});
